package main

import "regexp"

// masked stands for a secret wherever the configuration is shown.
const masked = "********"

// isSecret reports whether a key's value must not be shown. redis.url counts,
// because a value that is not understood cannot be masked in parts.
func isSecret(name string) bool {
	return name == "jwt.secret" || name == "admin.api_keys" || name == "redis.url"
}

var (
	urlPassword   = regexp.MustCompile(`^([a-z+]+://[^:@/]*):.*@`)
	queryPassword = regexp.MustCompile(`([?&][a-z_]*password=)[^&]*`)
)

// maskURL hides the passwords of a Redis URL. It does not parse the URL, which
// may name several hosts and then is none for net/url.
func maskURL(url string) string {
	url = urlPassword.ReplaceAllString(url, "$1:"+masked+"@")
	return queryPassword.ReplaceAllString(url, "${1}"+masked)
}

// withoutSecrets is the configuration as it may be shown.
func (c Config) withoutSecrets() Config {
	if c.JWT.Secret != "" {
		c.JWT.Secret = masked
	}
	keys := make([]string, len(c.Admin.APIKeys))
	for i := range keys {
		keys[i] = masked
	}
	c.Admin.APIKeys = keys
	c.Redis.URL = maskURL(c.Redis.URL)
	return c
}
