package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

const (
	node      = "node-of-the-bench"
	workers   = 8
	agentPods = "rl-arena.io/component=agent"
)

type pod struct{ Metadata meta }

// kubelet does to each Pod of an agent what a scheduler and a kubelet do, without a container: it is
// bound to a node, becomes Ready, and is gone after somebody has deleted it.
func kubelet(api *client, namespace string) error {
	pods := "/api/v1/namespaces/" + namespace + "/pods"
	added, deleted := make(chan string, 65536), make(chan string, 65536)
	for range workers {
		go func() {
			for {
				var err error
				select {
				case name := <-added:
					err = start(api, pods, name)
				case name := <-deleted:
					_, err = api.call(http.MethodDelete, pods+"/"+name, []byte(`{"gracePeriodSeconds":0}`))
				}
				if err != nil && !errors.Is(err, errGone) {
					fmt.Fprintln(os.Stderr, err)
				}
			}
		}()
	}
	leaving := map[string]bool{}
	return watch(api, pods, agentPods, func() { fmt.Println("ready") }, func(change event[pod]) {
		m := change.Object.Metadata
		switch {
		case change.Type == "DELETED":
			delete(leaving, m.UID)
		case m.DeletionTimestamp != "" && !leaving[m.UID]:
			leaving[m.UID] = true
			deleted <- m.Name
		case change.Type == "ADDED":
			added <- m.Name
		}
	})
}

func start(api *client, pods, name string) error {
	if _, err := api.call(http.MethodPost, pods+"/"+name+"/binding", binding(name)); err != nil {
		return err
	}
	_, err := api.call(http.MethodPatch, pods+"/"+name+"/status", readyStatus())
	return err
}

func binding(name string) []byte {
	return fmt.Appendf(nil, `{"metadata":{"name":%q},"target":{"apiVersion":"v1","kind":"Node","name":%q}}`, name, node)
}

func readyStatus() []byte {
	now := time.Now().UTC().Format(time.RFC3339)
	condition := func(kind string) map[string]any { return map[string]any{"type": kind, "status": "True"} }
	text, _ := json.Marshal(map[string]any{"status": map[string]any{
		"phase": "Running", "startTime": now, "podIP": "127.0.0.1", "podIPs": []any{map[string]any{"ip": "127.0.0.1"}},
		"conditions": []any{condition("PodScheduled"), condition("Ready")},
		"containerStatuses": []any{map[string]any{
			"name": "agent", "image": "i", "imageID": "i", "restartCount": 0, "ready": true,
			"state": map[string]any{"running": map[string]any{"startedAt": now}},
		}},
	}})
	return text
}
