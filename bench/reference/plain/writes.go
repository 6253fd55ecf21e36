package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// writes is the reference for the control plane: all writes of each match, one after the other, so many
// matches at a time, with nothing to decide and nothing to wait for but the API server. Of each match it tells how long
// the steps from From to To took, in milliseconds.
func writes(api *client, file string) error {
	p, err := readPlan(file)
	if err != nil {
		return err
	}
	var next, done, failed, gone atomic.Int64
	var all sync.WaitGroup
	parts := make([]float64, p.Matches)
	began := time.Now()
	for range p.Concurrency {
		all.Add(1)
		go func() {
			defer all.Done()
			for number := int(next.Add(1)) - 1; number < p.Matches; number = int(next.Add(1)) - 1 {
				uid, from := "", time.Time{}
				for i, s := range p.Steps {
					if i == p.From {
						from = time.Now()
					}
					answer, err := p.run(api, number, uid, s)
					if i == p.To {
						parts[number] = time.Since(from).Seconds() * 1000
					}
					if errors.Is(err, errGone) {
						gone.Add(1)
						continue
					}
					if err != nil {
						failed.Add(1)
						fmt.Fprintln(os.Stderr, err)
						continue
					}
					done.Add(1)
					if i == 0 {
						var created struct{ Metadata meta }
						if json.Unmarshal(answer, &created) == nil {
							uid = created.Metadata.UID
						}
					}
				}
			}
		}()
	}
	all.Wait()
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"seconds": time.Since(began).Seconds(), "writes": done.Load(),
		"failed": failed.Load(), "gone": gone.Load(), "parts": parts})
}
