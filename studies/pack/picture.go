package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/plot"
)

// picture draws the differences from the untouched model of every arm on every task, in points with their 95 % intervals, of a run's results.json: differences.png. A run
// without such differences has no picture.
func picture(run, to string) error {
	text, err := os.ReadFile(filepath.Join(run, "results.json"))
	if err != nil {
		return err
	}
	var results struct {
		Results []struct {
			Name  string     `json:"name"`
			Value float64    `json:"value"`
			CI95  [2]float64 `json:"ci95"`
		} `json:"results"`
	}
	if err := json.Unmarshal(text, &results); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(run, "results.json"), err)
	}
	var tasks []string
	var arms []plot.BarSeries
	for _, r := range results.Results { // TASK@TEMPLATE/acc/all/ARM/difference
		parts := strings.Split(r.Name, "/")
		if len(parts) != 5 || parts[1] != "acc" || parts[2] != "all" || parts[4] != "difference" {
			continue
		}
		task, _, _ := strings.Cut(parts[0], "@")
		if !slices.Contains(tasks, task) {
			tasks = append(tasks, task)
		}
		at := slices.IndexFunc(arms, func(s plot.BarSeries) bool { return s.Name == parts[3] })
		if at < 0 {
			arms, at = append(arms, plot.BarSeries{Name: parts[3]}), len(arms)
		}
		arm := &arms[at]
		arm.Values, arm.Lo, arm.Hi = append(arm.Values, 100*r.Value), append(arm.Lo, 100*r.CI95[0]), append(arm.Hi, 100*r.CI95[1])
	}
	if len(tasks) == 0 {
		return nil
	}
	png, err := plot.Bars{Groups: tasks, Series: arms, Title: "Accuracy minus the untouched model's, 95 % intervals", YLabel: "points"}.PNG()
	if err != nil {
		return err
	}
	return env.WriteBytes(filepath.Join(to, "differences.png"), 0o644, png)
}
