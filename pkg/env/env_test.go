package env

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRootIsTheModulesFolder(t *testing.T) {
	t.Setenv(CallerDir, "")
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "pkg", "env", "root.go")); err != nil {
		t.Error(err)
	}
	// A module of another name between is passed over: GoNB's scratch module lies anywhere.
	inner := t.TempDir()
	if err := os.WriteFile(filepath.Join(inner, "go.mod"), []byte("module gonb_1234\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := FindRoot(inner); err == nil {
		t.Errorf("found %s above %s", got, inner)
	}
	outer := t.TempDir()
	if err := os.MkdirAll(filepath.Join(outer, "scratch"), 0o755); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(outer, "go.mod"), []byte("// a comment\nmodule "+Module+"\n"), 0o644)
	os.WriteFile(filepath.Join(outer, "scratch", "go.mod"), []byte("module x\n"), 0o644)
	if got, err := FindRoot(filepath.Join(outer, "scratch")); err != nil || got != outer {
		t.Errorf("FindRoot = %s, %v; want %s", got, err, outer)
	}
	t.Setenv(CallerDir, outer)
	if got, err := Root(); err != nil || got != outer {
		t.Errorf("Root = %s, %v; want the caller's %s", got, err, outer)
	}
}

func TestFlagsOfTheUserStay(t *testing.T) {
	for _, test := range []struct{ value, want string }{
		{"", "--xla_gpu_autotune_level=0 --xla_gpu_enable_triton_gemm=false"},
		{" --xla_gpu_autotune_level=4 ", "--xla_gpu_autotune_level=4 --xla_gpu_enable_triton_gemm=false"},
		{"--xla_gpu_autotune_level_of_something=1", "--xla_gpu_autotune_level_of_something=1 --xla_gpu_autotune_level=0 --xla_gpu_enable_triton_gemm=false"},
		{"--xla_gpu_enable_triton_gemm=true --xla_gpu_autotune_level=0", "--xla_gpu_enable_triton_gemm=true --xla_gpu_autotune_level=0"},
	} {
		if got := AddXLAFlags(test.value, CUDAFlags...); got != test.want {
			t.Errorf("AddXLAFlags(%q) = %q, want %q", test.value, got, test.want)
		}
	}
	once := AddXLAFlags("", TrainingFlags...)
	if got := AddXLAFlags(once, TrainingFlags...); got != once {
		t.Errorf("added twice: %q", got)
	}
}

func TestWriteFileReplacesAsAWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a file.json")
	if err := WriteBytes(path, 0o640, []byte("old")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&^0o640 != 0 || info.Mode().Perm()&0o600 != 0o600 {
		t.Errorf("a new file has mode %v", info.Mode())
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is full")
	err = WriteFile(path, 0o644, func(w io.Writer) error {
		fmt.Fprint(w, "half of it")
		return broken
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "old" {
		t.Errorf("a failed write left %q", text)
	}
	err = WriteFile(path, 0o644, func(w io.Writer) error {
		if text, _ := os.ReadFile(path); string(text) != "old" {
			t.Errorf("a reader meets %q during the write", text)
		}
		_, err := io.WriteString(w, "new")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "new" {
		t.Errorf("the file holds %q", text)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o604 {
		t.Errorf("the mode changed to %v", info.Mode())
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("the folder holds %v", names)
	}
	if err := WriteBytes(dir, 0o644, nil); err == nil {
		t.Error("a folder was written")
	}
	if err := WriteBytes(filepath.Join(dir, "missing", "x"), 0o644, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}

// TestMain doubles as the process that holds a lock in the test below.
func TestMain(m *testing.M) {
	if path := os.Getenv("TEST_LOCK"); path != "" {
		if _, err := TryLock(path, "the child, pid "+fmt.Sprint(os.Getpid())); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		select {}
	}
	os.Exit(m.Run())
}

func TestLockEndsWithItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.lock")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "TEST_LOCK="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the child printed %q, %v", line, err)
	}
	_, err = TryLock(path, "the test")
	var locked *LockedError
	if !errors.As(err, &locked) || locked.Holder != fmt.Sprintf("the child, pid %d", child.Process.Pid) {
		t.Fatalf("TryLock = %v", err)
	}
	if locked.Stale {
		t.Skip("this system has no locks that end with their process")
	}
	child.Process.Kill()
	child.Wait()
	lock, err := TryLock(path, "the test")
	if err != nil {
		t.Fatalf("the lock of a killed process stays: %v", err)
	}
	if _, err := TryLock(path, "the test, again"); !errors.As(err, &locked) || locked.Holder != "the test" {
		t.Errorf("a second lock in one process: %v", err)
	}
	lock.Unlock()
	lock, err = TryLock(path, "the test, again")
	if err != nil {
		t.Fatal(err)
	}
	lock.Unlock()
}

func TestMarkerStandsForALock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.lock")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	first := &FileLock{file: file}
	if err := first.lockByMarker(); err != nil {
		t.Fatal(err)
	}
	second := &FileLock{file: file}
	var locked *LockedError
	if err := second.lockByMarker(); !errors.As(err, &locked) || !locked.Stale || !strings.Contains(err.Error(), path+".pid") {
		t.Errorf("the second lock: %v", err)
	}
	first.Unlock()
	if _, err := os.Stat(path + ".pid"); !os.IsNotExist(err) {
		t.Errorf("the marker stays: %v", err)
	}
}
