package main

import (
	"bytes"
	"fmt"
	"net/http"
	"time"
)

var continued = []byte(`"continue":"`)

// lists reads all agents and all submissions, at the same time, in pages, and throws them away: what the API server
// itself needs to hand them out, below which no informer's start can be.
func lists(api *client, namespace string) error {
	began := time.Now()
	kinds := []string{"agents", "submissions"}
	ended := make(chan error)
	bytesRead := make(chan int, len(kinds))
	for _, kind := range kinds {
		go func() {
			total, err := list(api, "/apis/rl-arena.io/v1alpha1/namespaces/"+namespace+"/"+kind)
			bytesRead <- total
			ended <- err
		}()
	}
	total := 0
	for range kinds {
		total += <-bytesRead
		if err := <-ended; err != nil {
			return err
		}
	}
	fmt.Printf(`{"seconds":%f,"bytes":%d}`+"\n", time.Since(began).Seconds(), total)
	return nil
}

func list(api *client, path string) (int, error) {
	total, token := 0, ""
	for {
		page, err := api.call(http.MethodGet, path+"?limit=500&continue="+token, nil)
		if err != nil {
			return total, err
		}
		total += len(page)
		// The list's own metadata come after its items; reading all of it as JSON would be what is left out here.
		at := bytes.LastIndex(page, continued)
		if at < 0 {
			return total, nil
		}
		rest := page[at+len(continued):]
		if token = string(rest[:bytes.IndexByte(rest, '"')]); token == "" {
			return total, nil
		}
	}
}
