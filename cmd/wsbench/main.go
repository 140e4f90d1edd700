// Command wsbench measures WebSocket servers: this project's gateway, and others
// to compare it with. Package bench does the work; this package is its command
// line, its progress bars and its worker processes.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once, and with it everything that it
	// has started.
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "wsbench: "+strings.ReplaceAll(err.Error(), "\n", "\nwsbench: "))
		os.Exit(1)
	}
}

// run carries out one command line.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) error {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	return root.ExecuteContext(ctx)
}
