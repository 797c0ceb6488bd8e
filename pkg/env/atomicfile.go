package env

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// WriteFile replaces the file at path by what write writes, as a whole: readers, and a crash, meet the old content or the new one, never a part. The content goes
// to a temporary file in the same folder, which is synced to the disk and renamed. A file that is there keeps its permission bits; a new one gets
// perm less the umask. When write or the disk fails, the old file stays and the temporary one is removed. The folder must exist.
func WriteFile(path string, perm fs.FileMode, write func(io.Writer) error) (err error) {
	info, err := os.Stat(path)
	exists := err == nil
	if exists && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "write", Path: path, Err: errors.New("it is not a regular file")}
	}
	file, err := createBeside(path, perm)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(file.Name())
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	if err := write(file); err != nil {
		return err
	}
	if exists && info.Mode().Perm() != perm {
		if err := file.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// WriteBytes is WriteFile with the content at hand.
func WriteBytes(path string, perm fs.FileMode, data []byte) error {
	return WriteFile(path, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// createBeside creates a hidden file with a new name in path's folder. os.CreateTemp would give it mode 0600 whatever the umask.
func createBeside(path string, perm fs.FileMode) (*os.File, error) {
	folder, base := filepath.Split(path)
	for try := 0; ; try++ {
		name := filepath.Join(folder, fmt.Sprintf(".%s.%08x.tmp", base, rand.Uint32()))
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		if errors.Is(err, fs.ErrExist) && try < 100 {
			continue
		}
		return file, err
	}
}

// syncFolder makes a rename durable. Systems that cannot sync a folder report an error that means nothing for the file, which is in place: it is ignored.
func syncFolder(folder string) {
	if directory, err := os.Open(folder); err == nil {
		_ = directory.Sync()
		directory.Close()
	}
}
