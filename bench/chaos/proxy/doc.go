// Package proxy is the network of a chaos run: TCP proxies of our own that can cut
// connections and hold back their bytes.
//
// A Proxy asks a function where each new connection is to go, so that one proxy
// is a load balancer over nodes that come and go, and another stands in front of
// one Redis server. It passes bytes on, ends included: when one side closes its
// half, so does the other, and an abrupt end is an abrupt end on both sides. Its
// buffers may be kept small, so that a reader that has stopped is felt by the
// writer; below some 32 KiB the loopback becomes very slow.
//
// Two goroutines per connection end with it; Close ends everything.
package proxy
