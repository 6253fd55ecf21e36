package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"time"
)

const (
	stream      = "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
	longestLine = 4 << 20 // etcd's objects end at 1.5 MiB
)

// Reading the events as JSON would be what is left out here.
var (
	bookmark   = []byte(`{"type":"BOOKMARK"`)
	errorEvent = []byte(`{"type":"ERROR"`)
	endOfList  = []byte(`"k8s.io/initial-events-end":"true"`)
)

// lists reads all agents and all submissions, at the same time, as streams, and throws them away: what the API server
// itself needs to hand them out, below which no start that asks for them can be.
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
	answer, err := api.open(http.MethodGet, path+stream, nil)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("GET %s: %d", path+stream, answer.StatusCode)
	}
	lines := bufio.NewReaderSize(answer.Body, longestLine)
	for total := 0; ; {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return total, err
		}
		total += len(line)
		if bytes.HasPrefix(line, errorEvent) {
			return total, fmt.Errorf("GET %s: %s", path+stream, line)
		}
		if bytes.HasPrefix(line, bookmark) && bytes.Contains(line, endOfList) {
			return total, nil
		}
	}
}
