package main

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

func TestPictureHasABarForEveryArmAndTask(t *testing.T) {
	run, to := t.TempDir(), t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(run, "results.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := picture(run, to); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"results":[{"name":"piqa@1/acc/all/baseline","value":0.6,"ci95":[0.5,0.7]},{"name":"piqa@1/acc/all/released/p","value":0.6,"ci95":null}]}`)
	if _, err := os.Stat(filepath.Join(to, "differences.png")); err == nil {
		t.Error("a picture without a difference")
	}
	write(`{"results":[{"name":"piqa@1/acc/all/released/difference","value":0.01,"ci95":[-0.01,0.03]},{"name":"mmlu@2/acc/all/released/difference","value":0,"ci95":[-0.001,0.001]}]}`)
	file, err := os.Open(filepath.Join(to, "differences.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := png.Decode(file); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(run, "results.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := picture(run, to); err == nil {
		t.Error("a broken results.json has a picture")
	}
}
