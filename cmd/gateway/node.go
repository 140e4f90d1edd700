package main

import (
	"crypto/rand"
	"os"
	"strings"
)

// nodeName is the configured name of this node, or else the host's with a
// random suffix: several nodes on one host, and a node and its successor after
// a restart, are then told apart.
func nodeName(configured string) string {
	if configured != "" {
		return configured
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "node"
	}
	return host + "-" + strings.ToLower(rand.Text()[:6])
}
