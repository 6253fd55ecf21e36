// etcd, the store of the embedded cluster's API server: Debian 12's is too old for an API server of today, which answers
// lists from its own memory only when etcd can tell it how far it is.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
