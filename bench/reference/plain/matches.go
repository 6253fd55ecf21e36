package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

type match struct {
	Metadata meta
	Status   struct {
		Phase      string
		Conditions []struct{ Type, Status string }
	}
}

func (m *match) isRated() bool {
	for _, c := range m.Status.Conditions {
		if c.Type == "Rated" {
			return c.Status == "True" && m.Status.Phase == "Complete"
		}
	}
	return false
}

// matches creates them all and tells how long it took until the last was Complete and Rated. The matches are
// numbered as in a plain loop, so that both sides write about as many agents.
func matches(api *client, namespace, file string) error {
	p, err := readPlan(file)
	if err != nil {
		return err
	}
	ready, over := make(chan bool), make(chan time.Time, 1)
	var phases sync.Map
	rated := map[string]bool{}
	path := "/apis/rl-arena.io/v1alpha1/namespaces/" + namespace + "/matches"
	go func() {
		err := watch(api, path, "", func() { ready <- true }, func(change event[match]) {
			m := &change.Object
			phases.Store(m.Metadata.Name, m.Status.Phase)
			if m.Status.Phase == "Failed" {
				fmt.Fprintln(os.Stderr, "failed:", m.Metadata.Name)
				os.Exit(1)
			}
			if m.isRated() && !rated[m.Metadata.Name] {
				rated[m.Metadata.Name] = true
				if len(rated) == p.Matches {
					over <- time.Now()
				}
			}
		})
		fmt.Fprintln(os.Stderr, "the watch ended:", err)
		os.Exit(1)
	}()
	<-ready
	var next atomic.Int64
	began := time.Now()
	for range p.Concurrency {
		go func() {
			for number := int(next.Add(1)) - 1; number < p.Matches; number = int(next.Add(1)) - 1 {
				if _, err := p.run(api, number, "", p.Steps[0]); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		}()
	}
	select {
	case end := <-over:
		fmt.Printf(`{"seconds":%f}`+"\n", end.Sub(began).Seconds())
		return nil
	case <-time.After(10 * time.Minute):
		phases.Range(func(name, phase any) bool {
			fmt.Fprintln(os.Stderr, name, phase)
			return true
		})
		return fmt.Errorf("not all matches ended in ten minutes")
	}
}
