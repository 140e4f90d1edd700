package main

import (
	"net"
	"strings"
	"time"

	"github.com/ginforge/gateway/session/auth"
)

// hintText is what `gateway serve --development` shows.
const hintText = `
  The gateway is running in development mode.

  In a browser   http://%s/
  A client       ws://%s/ws?token=%s
                 (user u1, good for an hour; more: bin/gateway token --development --user u2 --name Bob)
  A backend      Redis is at %s; say something to everyone:
                 redis-cli%s PUBLISH %sbroadcast '{"type":"system","content":{"message":"hello","level":"info"}}'
                 bin/gateway publish --redis-url %s broadcast '{"type":"system","content":{"message":"hello","level":"info"}}'
  Operators      http://%s/console/ and /metrics

`

// developmentTTL is how long the tokens live that development mode hands out.
const developmentTTL = time.Hour

// developmentToken signs a token with the configured secret.
func (n *node) developmentToken(userID, userName string) (string, error) {
	return signToken(n.cfg, auth.Identity{UserID: userID, Name: userName}, developmentTTL)
}

// dialable is an address as a person can use it: a listener on every interface
// is reached at localhost.
func dialable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// cliFlags are the flags with which redis-cli finds the Redis that the bus calls
// addr.
func cliFlags(addr string) string {
	if path, ok := strings.CutPrefix(addr, "unix://"); ok {
		return " -s " + path
	}
	if strings.Contains(addr, "://") {
		return " -u " + addr
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "6379" && host == "127.0.0.1" {
		return ""
	}
	return " -h " + host + " -p " + port
}

// redisURL is the URL of a Redis that the bus calls addr: host:port of the embedded
// one, else a URL already.
func redisURL(addr string) string {
	if strings.Contains(addr, "://") {
		return addr
	}
	return "redis://" + addr
}
