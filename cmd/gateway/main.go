// Command gateway is the WebSocket gateway: `gateway serve` runs a node, and
// the other commands help to try it, to script it and to check its
// configuration.
//
// This package puts the others together and holds no logic of its own beyond
// the configuration: config.go says what can be set, load.go where it comes
// from, validate.go what is allowed, mapping.go what becomes of it in each
// package, and serve.go in which order the parts start and stop.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx := untilSignal()
	p := process{environ: os.Environ(), in: os.Stdin, out: os.Stdout, errOut: os.Stderr}
	if err := run(ctx, os.Args[1:], p); err != nil {
		fmt.Fprintln(os.Stderr, "gateway: "+strings.ReplaceAll(err.Error(), "\n", "\ngateway: "))
		os.Exit(1)
	}
}

// untilSignal returns a context that ends with the first signal that asks for an
// orderly end. The handler is gone before anybody sees that, so that a second signal
// ends the process at once, however soon it comes.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan os.Signal, 1)
	signal.Notify(first, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the first signal, or with the process
		<-first
		signal.Stop(first)
		cancel()
	}()
	return ctx
}
