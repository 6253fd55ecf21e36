package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.aquasec.trivy.config.v1+json"
	layerType    = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

// packLayer makes the compressed archive; fixed times keep its digest the same
// for the same files.
func packLayer(date time.Time, paths ...string) ([]byte, error) {
	var layer bytes.Buffer
	compressed := gzip.NewWriter(&layer)
	archive := tar.NewWriter(compressed)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		header := &tar.Header{Name: filepath.Base(path), Mode: 0o644, Size: int64(len(content)), ModTime: date}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, err
	}
	return layer.Bytes(), nil
}

func describe(mediaType string, content []byte) descriptor {
	return descriptor{MediaType: mediaType, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(content)), Size: len(content)}
}

// pushArtifact speaks the registry's HTTP API: both blobs, then the manifest.
func pushArtifact(target string, layer []byte) error {
	parsed, err := url.Parse(target)
	if err != nil {
		return err
	}
	repository, tag, found := strings.Cut(strings.TrimPrefix(parsed.Path, "/"), ":")
	if !found {
		return fmt.Errorf("%s: no tag", target)
	}
	base := fmt.Sprintf("%s://%s/v2/%s", parsed.Scheme, parsed.Host, repository)
	config := []byte("{}")
	layerDescriptor := describe(layerType, layer)
	layerDescriptor.Annotations = map[string]string{"org.opencontainers.image.title": "db.tar.gz"}
	for _, blob := range [][]byte{config, layer} {
		if err := pushBlob(base, blob); err != nil {
			return err
		}
	}
	body, err := json.Marshal(manifest{2, manifestType, describe(configType, config), []descriptor{layerDescriptor}})
	if err != nil {
		return err
	}
	_, err = send(http.MethodPut, base+"/manifests/"+tag, manifestType, body, http.StatusCreated)
	return err
}

func pushBlob(base string, content []byte) error {
	location, err := send(http.MethodPost, base+"/blobs/uploads/", "", nil, http.StatusAccepted)
	if err != nil {
		return err
	}
	query := location.Query()
	query.Set("digest", describe("", content).Digest)
	location.RawQuery = query.Encode()
	_, err = send(http.MethodPut, location.String(), "application/octet-stream", content, http.StatusCreated)
	return err
}

func send(method, address, mediaType string, body []byte, want int) (*url.URL, error) {
	request, err := http.NewRequest(method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if mediaType != "" {
		request.Header.Set("Content-Type", mediaType)
	}
	client := http.Client{Timeout: time.Minute}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != want {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		return nil, fmt.Errorf("%s %s: %s: %s", method, address, response.Status, text)
	}
	if response.Header.Get("Location") == "" {
		return nil, nil
	}
	return response.Location()
}
