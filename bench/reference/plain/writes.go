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
// matches at a time, with nothing to decide and nothing to wait for but the API server.
func writes(api *client, file string) error {
	p, err := readPlan(file)
	if err != nil {
		return err
	}
	var next, done, failed, gone atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range p.Concurrency {
		all.Add(1)
		go func() {
			defer all.Done()
			for number := int(next.Add(1)) - 1; number < p.Matches; number = int(next.Add(1)) - 1 {
				uid := ""
				for i, s := range p.Steps {
					answer, err := p.run(api, number, uid, s)
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
	fmt.Printf(`{"seconds":%f,"writes":%d,"failed":%d,"gone":%d}`+"\n", time.Since(began).Seconds(), done.Load(),
		failed.Load(), gone.Load())
	return nil
}
