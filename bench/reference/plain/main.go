// What the benches of the control plane need that must not be slow itself: it shares the machine with the
// API server. Only the standard library, one HTTP/2 connection.
//
//	plain kubelet NAMESPACE              makes the agents' Pods Ready and takes them away (kubelet.go)
//	plain matches NAMESPACE PLAN.json    creates matches and waits until all are rated (matches.go)
//	plain writes  NAMESPACE PLAN.json    the same writes in a plain loop, and nothing else (writes.go)
//	plain lists   NAMESPACE              lists agents and submissions, and nothing else (lists.go)
//
// The environment has the API server: SERVER (https://...) and TOKEN.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: plain kubelet|matches|writes|lists NAMESPACE [PLAN.json]")
		os.Exit(2)
	}
	api := newClient(os.Getenv("SERVER"), os.Getenv("TOKEN"))
	namespace := os.Args[2]
	var err error
	switch os.Args[1] {
	case "kubelet":
		err = kubelet(api, namespace)
	case "matches":
		err = matches(api, namespace, os.Args[3])
	case "writes":
		err = writes(api, os.Args[3])
	case "lists":
		err = lists(api, namespace)
	default:
		err = fmt.Errorf("no such command: %s", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
