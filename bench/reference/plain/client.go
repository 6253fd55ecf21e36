package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
)

type client struct {
	server, token string
	http          *http.Client
}

func newClient(server, token string) *client {
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // loopback, an API server of the bench's own
		ForceAttemptHTTP2: true,
	}
	return &client{server, token, &http.Client{Transport: transport}}
}

func (c *client) open(method, path string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(context.Background(), method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	return c.http.Do(request)
}

// errGone is of a DELETE of what is not there any more.
var errGone = errors.New("what is to be deleted has gone")

// call answers with the body; what is not 2xx is an error.
func (c *client) call(method, path string, body []byte) ([]byte, error) {
	answer, err := c.open(method, path, body)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && method == http.MethodDelete && answer.StatusCode == http.StatusNotFound {
		err = errGone
	} else if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %d %s", method, path, answer.StatusCode, text)
	}
	return text, err
}

// meta is as much of an object as the programs here look at.
type meta struct {
	Name              string `json:"name"`
	UID               string `json:"uid"`
	ResourceVersion   string `json:"resourceVersion"`
	DeletionTimestamp string `json:"deletionTimestamp"`
}

type event[T any] struct {
	Type   string
	Object T
}

// watch tells of every change of a collection from now on, until the connection ends.
func watch[T any](c *client, path, selector string, ready func(), tell func(event[T])) error {
	query := url.Values{"labelSelector": {selector}, "limit": {"1"}}
	text, err := c.call(http.MethodGet, path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	var list struct{ Metadata meta }
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	version := list.Metadata.ResourceVersion
	ready()
	for {
		if version, err = follow(c, path, selector, version, tell); err != nil {
			return err
		}
	}
}

// follow is one watch; the API server ends them now and then. It answers with the last version that was seen.
func follow[T any](c *client, path, selector, version string, tell func(event[T])) (string, error) {
	query := url.Values{"labelSelector": {selector}, "watch": {"true"}, "resourceVersion": {version}}
	answer, err := c.open(http.MethodGet, path+"?"+query.Encode(), nil)
	if err != nil {
		return version, err
	}
	defer answer.Body.Close()
	decoder := json.NewDecoder(answer.Body)
	for {
		var raw struct {
			Type   string
			Object json.RawMessage
		}
		if err := decoder.Decode(&raw); err != nil {
			fmt.Fprintln(os.Stderr, path, "is watched again:", err)
			return version, nil
		}
		var named struct{ Metadata meta }
		change := event[T]{Type: raw.Type}
		if err := json.Unmarshal(raw.Object, &named); err != nil {
			return version, err
		}
		if err := json.Unmarshal(raw.Object, &change.Object); err != nil {
			return version, err
		}
		if raw.Type == "ERROR" {
			return version, fmt.Errorf("%s: %s", path, raw.Object)
		}
		version = named.Metadata.ResourceVersion
		tell(change)
	}
}
