// Package worker is one client process of the load harness: it holds up to about
// 19,500 connections with package fleet, makes their tokens, joins their rooms,
// and judges every message that arrives.
//
// The harness starts as many as it needs (`wsbench worker`) and talks to each
// through its standard streams, a line of JSON at a time:
//
//	harness → worker   Config, once
//	                   Command, any number: open, begin, send, cut, report
//	worker → harness   Tell: {"progress":{...}} five times a second, {"report":{...}}
//	                   for each report command, {"error":"..."} before it ends early
//
// The end of its standard input ends a worker. Tests run it in their own process,
// with pipes. Run owns everything, on the goroutine of the fleet's loop; nothing
// here imports code of the gateway.
package worker
