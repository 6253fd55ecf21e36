package main

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
)

// plan is what matches.py found out: one match's writes in their order, with {{match}}, {{uid}}, {{a}} and {{b}}
// where those names stand. The first step creates the match.
type plan struct {
	Matches     int
	Concurrency int
	Prefix      string // of the matches' names
	Agent       string // of the agents' names, before six digits
	FirstAgent  int
	Steps       []step
	From, To    int // the first and the last of the steps that are timed together
}

type step struct {
	Method, Path, Body string
}

func readPlan(file string) (plan, error) {
	var p plan
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	return p, err
}

// names puts the names of one match where their marks stand; its uid is known only once it is created.
func (p *plan) names(number int, uid string) *strings.Replacer {
	agent := func(seat int) string {
		digits := strconv.Itoa(p.FirstAgent + 2*number + seat)
		return p.Agent + strings.Repeat("0", 6-len(digits)) + digits
	}
	return strings.NewReplacer("{{match}}", p.Prefix+strconv.Itoa(number), "{{uid}}", uid,
		"{{a}}", agent(0), "{{b}}", agent(1))
}

func (p *plan) run(api *client, number int, uid string, s step) ([]byte, error) {
	replace := p.names(number, uid)
	return api.call(s.Method, replace.Replace(s.Path), []byte(replace.Replace(s.Body)))
}
