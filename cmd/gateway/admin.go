package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ginforge/gateway/web"
)

// adminServer is the internal listener. It is net/http's: its few clients may
// block, and it works when the pollers do not.
type adminServer struct {
	listen   string
	server   *http.Server
	listener net.Listener // set by start
}

func newAdminServer(listen string, metrics *prometheus.Registry, calls http.Handler) *adminServer {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.Handle("/api/v1/", calls)
	mux.Handle("/console/", web.Console())
	mux.Handle("/{$}", http.RedirectHandler("/console/", http.StatusFound))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return &adminServer{
		listen: listen,
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second},
	}
}

func (a *adminServer) start(ctx context.Context) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", a.listen)
	if err != nil {
		return fmt.Errorf("listen on admin_listen %q: %w", a.listen, err)
	}
	a.listener = ln
	go func() {
		// It ends with stop, which closes the listener; there is no other error
		// to act on, and a node without metrics still serves.
		_ = a.server.Serve(ln)
	}()
	return nil
}

func (a *adminServer) addr() string { return a.listener.Addr().String() }

// stop waits for requests under way as long as ctx allows.
func (a *adminServer) stop(ctx context.Context) error {
	if err := a.server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop the internal listener: %w", err)
	}
	return a.server.Close()
}
