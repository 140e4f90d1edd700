package main

import (
	"github.com/ginforge/gateway/pubsub"
	"github.com/ginforge/gateway/session/auth"
)

// authConfig is what package auth needs to check tokens, and to sign them.
func authConfig(c Config) auth.Config {
	secret := c.JWT.Secret
	if c.usesDevelopmentSecret() {
		secret = developmentSecret
	}
	return auth.Config{
		Secret:        secret,
		Algorithms:    c.JWT.Algorithms,
		PublicKeyFile: c.JWT.PublicKeyFile,
		Issuer:        c.JWT.Issuer,
		Audience:      c.JWT.Audience,
		Leeway:        c.JWT.Leeway,
		Cookie:        c.JWT.Cookie,
	}
}

// busConfig is what package pubsub needs to reach Redis.
func busConfig(c Config) pubsub.Config {
	cfg := pubsub.DefaultConfig()
	cfg.URL = c.Redis.URL
	cfg.EmbeddedListen = c.Redis.EmbeddedListen
	cfg.Prefix = c.Redis.Prefix
	cfg.Linger = c.Redis.Linger
	cfg.Coalesce = c.Redis.Coalesce
	cfg.QueueMessages = c.Redis.QueueMessages
	cfg.WaitReplicas = c.Redis.WaitReplicas
	cfg.QueueBytes = c.Redis.QueueBytes
	return cfg
}
