// trivydb writes a Trivy database that holds the advisories of advisories.json
// and pushes it to a registry as the OCI artifact that Trivy's --db-repository
// reads. The full database is published on the Internet only, where an embedded
// cluster can not go; the format and the scanner are the real ones.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/aquasecurity/trivy-db/pkg/db"
	"github.com/aquasecurity/trivy-db/pkg/metadata"
	"github.com/aquasecurity/trivy-db/pkg/types"
	bolt "go.etcd.io/bbolt"
)

//go:embed advisories.json
var advisoriesFile []byte

// advisory is one entry of advisories.json. Fixed is empty where no fixed
// version exists; Vulnerable is the range for language packages.
type advisory struct {
	ID         string `json:"id"`
	Source     string `json:"source"`
	Package    string `json:"package"`
	Severity   string `json:"severity"`
	Fixed      string `json:"fixed"`
	Vulnerable string `json:"vulnerable"`
	Title      string `json:"title"`
	Reference  string `json:"reference"`
}

type advisorySet struct {
	Date       time.Time  `json:"date"`
	Advisories []advisory `json:"advisories"`
}

type source struct {
	bucket string
	data   types.DataSource
}

var sources = map[string]source{
	"debian": {"debian 12", types.DataSource{
		ID: "debian", Name: "Debian Security Tracker", URL: "https://salsa.debian.org/security-tracker-team/security-tracker",
	}},
	"pip": {"pip::GitHub Security Advisory pip", types.DataSource{
		ID: "ghsa", Name: "GitHub Security Advisory pip", URL: "https://github.com/advisories?query=type%3Areviewed+ecosystem%3Apip",
	}},
}

func main() {
	log.SetFlags(0)
	out := flag.String("out", "", "folder to write trivy.db and metadata.json to")
	push := flag.String("push", "", "where to push the artifact, e.g. http://HOST:PORT/REPOSITORY:2")
	flag.Parse()
	if *out == "" {
		log.Fatal("trivydb: -out is needed")
	}
	if err := run(*out, *push); err != nil {
		log.Fatalf("trivydb: %v", err)
	}
}

func run(out, push string) error {
	set, err := readAdvisories(advisoriesFile)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := writeDatabase(out, set); err != nil {
		return err
	}
	if push == "" {
		return nil
	}
	layer, err := packLayer(set.Date, filepath.Join(out, "trivy.db"), metadata.Path(out))
	if err != nil {
		return err
	}
	return pushArtifact(push, layer)
}

func readAdvisories(text []byte) (advisorySet, error) {
	var set advisorySet
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&set); err != nil {
		return set, fmt.Errorf("advisories.json: %w", err)
	}
	for _, a := range set.Advisories {
		if _, known := sources[a.Source]; !known {
			return set, fmt.Errorf("advisories.json: %s: unknown source %q", a.ID, a.Source)
		}
	}
	return set, nil
}

func writeDatabase(out string, set advisorySet) error {
	if err := db.Init(out); err != nil {
		return err
	}
	config := db.Config{}
	err := config.BatchUpdate(func(tx *bolt.Tx) error {
		for _, s := range sources {
			if err := config.PutDataSource(tx, s.bucket, s.data); err != nil {
				return err
			}
		}
		for _, a := range set.Advisories {
			if err := put(config, tx, a); err != nil {
				return fmt.Errorf("%s: %w", a.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	return metadata.NewClient(out).Update(metadata.Metadata{
		Version:   db.SchemaVersion,
		UpdatedAt: set.Date,
		// The set only changes with this program, so no scanner need ask again.
		NextUpdate: set.Date.AddDate(20, 0, 0),
	})
}

func put(config db.Config, tx *bolt.Tx, a advisory) error {
	s := sources[a.Source]
	severity, err := types.NewSeverity(a.Severity)
	if err != nil {
		return err
	}
	entry := types.Advisory{FixedVersion: a.Fixed}
	if a.Source == "pip" {
		entry = types.Advisory{VulnerableVersions: []string{a.Vulnerable}}
		if a.Fixed != "" {
			entry.PatchedVersions = []string{a.Fixed}
		}
	} else if a.Fixed == "" {
		entry.Status = types.StatusAffected
		entry.Severity = severity
	}
	if err := config.PutAdvisory(tx, []string{s.bucket, a.Package}, a.ID, &entry); err != nil {
		return err
	}
	return config.PutVulnerability(tx, a.ID, types.Vulnerability{
		Title:          a.Title,
		Severity:       severity.String(),
		VendorSeverity: types.VendorSeverity{s.data.ID: severity, "nvd": severity},
		References:     []string{a.Reference},
	})
}
