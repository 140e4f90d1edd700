package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ginforge/gateway/session/auth"
)

func newTokenCommand(p process, src *sources) *cobra.Command {
	var id auth.Identity
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "token --user ID",
		Short: "Print a token for a user, signed with the configured secret",
		Long: `Print a token (a JSON Web Token) that opens a connection as the given user,
signed with jwt.secret. Whoever has the configuration can be anyone: it is meant
for trying things and for scripts.`,
		Example: `  gateway token --config configs/development.yaml --user u1 --name Ann
  gateway token --development --user u1 --ttl 5m --room chat:lobby`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return printToken(p, *src, id, ttl)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&id.UserID, "user", "", "the user's `id`")
	flags.StringVar(&id.Name, "name", "", "the user's `name` (default: the id)")
	flags.DurationVar(&ttl, "ttl", time.Hour, "how long the token is good for; 0s: for ever")
	flags.StringArrayVar(&id.Rooms, "room", nil, "a `room` that the server joins at connect (repeatable)")
	cobra.CheckErr(cmd.MarkFlagRequired("user"))
	return cmd
}

func printToken(p process, src sources, id auth.Identity, ttl time.Duration) error {
	if ttl < 0 {
		return fmt.Errorf("--ttl must be 0s (never expires) or longer, not %s", ttl)
	}
	cfg, _, err := src.load()
	if err != nil {
		return err
	}
	if err := cfg.validateJWT(); err != nil {
		return err
	}
	token, err := signToken(cfg, id, ttl)
	if err != nil {
		return err
	}
	if cfg.usesDevelopmentSecret() {
		fmt.Fprintln(p.errOut, "note: signed with the development secret; only a gateway in development mode takes it")
	}
	fmt.Fprintln(p.out, token)
	return nil
}

// errNoSigningKey is returned where the configuration can check tokens but not
// make them.
var errNoSigningKey = errors.New("jwt.algorithms has none that signs with jwt.secret (HS256, HS384, HS512): " +
	"the gateway checks tokens with a public key, and only the owner of the private key can make them")

// signToken makes a token that a gateway with the same configuration takes.
func signToken(cfg Config, id auth.Identity, ttl time.Duration) (string, error) {
	a := authConfig(cfg)
	i := slices.IndexFunc(a.Algorithms, signsWithSecret)
	if i < 0 {
		return "", errNoSigningKey
	}
	token, err := auth.Sign(a.Secret, a.Algorithms[i], id, ttl, a.Issuer, a.Audience)
	if err != nil {
		return "", fmt.Errorf("signing the token: %w", err)
	}
	return token, nil
}
