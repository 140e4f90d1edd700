package pubsub

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The ports used when a URL names none.
const (
	redisPort    = "6379"
	sentinelPort = "26379"
)

// allowedURLs ends every error about redis.url.
const allowedURLs = `want "embedded", redis://[user:password@]host[:port][/db], rediss:// likewise with TLS, ` +
	`unix://[user:password@]/path/to/redis.sock[?db=N], redis+sentinel://[user:password@]host[:port],.../master[/db] ` +
	`or redis+cluster://[user:password@]host[:port],... (percent-encode special characters in user and password)`

// target is a parsed redis.url.
type target struct {
	embedded bool
	options  redis.UniversalOptions // where and who; connection settings are newClient's
	display  string                 // the URL without credentials, fit for logs
}

// scheme says what the parts of a URL mean.
type scheme struct {
	tls      bool
	sentinel bool
	cluster  bool
	port     string // the default port
	params   []string
}

// schemes holds every scheme but unix, whose URLs have no hosts.
var schemes = map[string]scheme{
	"redis":           {port: redisPort},
	"rediss":          {port: redisPort, tls: true},
	"redis+cluster":   {port: redisPort, cluster: true},
	"rediss+cluster":  {port: redisPort, cluster: true, tls: true},
	"redis+sentinel":  {port: sentinelPort, sentinel: true, params: sentinelParams},
	"rediss+sentinel": {port: sentinelPort, sentinel: true, tls: true, params: sentinelParams},
}

var sentinelParams = []string{"sentinel_username", "sentinel_password"}

// parseURL reads redis.url. net/url does not know hosts in a list, and its
// errors repeat the URL; here no error repeats any part of it, because a
// password may stand anywhere in a URL that is wrong.
func parseURL(raw string) (target, error) {
	t, err := splitURL(raw)
	if err != nil {
		return target{}, fmt.Errorf("redis.url: %w; %s", err, allowedURLs)
	}
	return t, nil
}

func splitURL(raw string) (target, error) {
	if raw == defaultURL {
		return target{embedded: true, display: raw}, nil
	}
	name, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return target{}, errors.New("no scheme")
	}
	rest, query, _ := strings.Cut(rest, "?")
	// A host holds no @ and no slash, so the last @ ends the credentials.
	at := strings.LastIndexByte(rest, '@')
	user, password, err := parseCredentials(rest[:max(at, 0)])
	if err != nil {
		return target{}, err
	}
	t := target{options: redis.UniversalOptions{Username: user, Password: password}}
	address := rest[at+1:]
	if name == "unix" {
		return t, t.setSocket(address, query)
	}
	s, ok := schemes[name]
	if !ok {
		return target{}, errors.New("unknown scheme")
	}
	hosts, path, _ := strings.Cut(address, "/")
	return t, errors.Join(t.setHosts(name, s, hosts), t.setPath(s, path), t.setParams(query, s.params))
}

func parseCredentials(s string) (user, password string, err error) {
	user, password, _ = strings.Cut(s, ":")
	user, userErr := url.PathUnescape(user)
	password, passwordErr := url.PathUnescape(password)
	if userErr != nil || passwordErr != nil {
		return "", "", errors.New("user or password has a bad percent-encoding")
	}
	return user, password, nil
}

// setSocket takes what follows unix:// and its credentials.
func (t *target) setSocket(path, query string) error {
	if !strings.HasPrefix(path, "/") {
		return errors.New("the socket's path is not absolute")
	}
	t.options.Addrs = []string{path}
	t.display = "unix://" + path
	return t.setParams(query, []string{"db"})
}

// setHosts takes the list of hosts.
func (t *target) setHosts(name string, s scheme, hosts string) error {
	for _, host := range strings.Split(hosts, ",") {
		addr, err := parseHost(host, s.port)
		if err != nil {
			return err
		}
		t.options.Addrs = append(t.options.Addrs, addr)
	}
	if len(t.options.Addrs) > 1 && !s.sentinel && !s.cluster {
		return errors.New("more than one host needs redis+sentinel or redis+cluster")
	}
	if s.tls {
		t.options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t.options.IsClusterMode = s.cluster
	t.display = name + "://" + strings.Join(t.options.Addrs, ",")
	return nil
}

// parseHost completes "host", "host:port", "[v6]" or "[v6]:port" with port.
func parseHost(host, port string) (string, error) {
	if strings.HasSuffix(host, "]") || !strings.Contains(host, ":") {
		host += ":" + port
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return "", errors.New("a host is not host, host:port or [v6]:port")
	}
	if name == "" {
		return "", errors.New("a host is missing")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("a port is not a number from 1 to 65535")
	}
	return net.JoinHostPort(name, port), nil
}

// setPath takes what follows the hosts: [db], or master[/db] with Sentinel.
func (t *target) setPath(s scheme, path string) error {
	if s.sentinel {
		t.options.MasterName, path, _ = strings.Cut(path, "/")
		if t.options.MasterName == "" {
			return errors.New("the master's name is missing")
		}
		t.display += "/" + t.options.MasterName
	}
	if path == "" {
		return nil
	}
	if s.cluster {
		return errors.New("a cluster has no database numbers")
	}
	return t.setDB(path)
}

func (t *target) setDB(s string) error {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return errors.New("the database is not a number from 0 to 65535")
	}
	t.options.DB = int(n)
	t.display += "/" + s
	return nil
}

// setParams takes the query, in which only the allowed parameters may stand.
func (t *target) setParams(query string, allowed []string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the query has a bad encoding")
	}
	for _, key := range allowed {
		if v := values.Get(key); v != "" {
			err = errors.Join(err, t.setParam(key, v))
		}
		delete(values, key)
	}
	if len(values) > 0 {
		return errors.New("unknown query parameter")
	}
	return err
}

func (t *target) setParam(key, value string) error {
	switch key {
	case "db":
		return t.setDB(value)
	case "sentinel_username":
		t.options.SentinelUsername = value
	case "sentinel_password":
		t.options.SentinelPassword = value
	}
	return nil
}
