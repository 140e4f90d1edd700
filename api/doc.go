// Package api is what the internal listener serves under /api/v1: the calls with
// which backends, operators and the console publish, look at rooms and users,
// disconnect, revoke and drain. docs/openapi.yaml describes it, and a test compares
// that with the routes.
//
// Open first: routes.go, the table of calls. Every call goes through Server.serve
// (server.go): who asks is checked (key.go), the body is bounded, and what the
// handler returns becomes
//
//	{"code":0,"message":"success","data":{..}}   or   {"code":404,"message":".."}
//
// There is a file of handlers for each subject. They run on net/http's goroutines
// and may wait for Redis and for other nodes. They know neither: what they need is
// in the small interfaces of Backend, which cmd/gateway fills in.
package api
