package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// minRSABits is what RFC 7518 section 3.3 asks for.
const minRSABits = 2048

// readPublicKey reads a PEM file that holds a public key or a certificate.
func readPublicKey(path string) (crypto.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err // names the file
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%q holds no PEM block", path)
	}
	key, err := parsePublicKey(block)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	if key, ok := key.(*rsa.PublicKey); ok && key.N.BitLen() < minRSABits {
		return nil, fmt.Errorf("%q holds an RSA key of %d bits; want %d or more", path, key.N.BitLen(), minRSABits)
	}
	return key, nil
}

func parsePublicKey(block *pem.Block) (crypto.PublicKey, error) {
	switch {
	case block.Type == "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return certificate.PublicKey, nil
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, fmt.Errorf("holds a private key, which belongs to the issuer alone; want the public key")
	}
	return nil, fmt.Errorf("holds a PEM block of another type; want PUBLIC KEY or CERTIFICATE")
}

// keyKind returns which kind of key a public-key algorithm works with.
func keyKind(alg string) string {
	switch alg {
	case "ES256":
		return "an ECDSA key on P-256"
	case "ES384":
		return "an ECDSA key on P-384"
	case "ES512":
		return "an ECDSA key on P-521"
	case "EdDSA":
		return "an Ed25519 key"
	}
	return "an RSA key"
}

// kindOf says the same of a key.
func kindOf(key crypto.PublicKey) string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return "an RSA key"
	case *ecdsa.PublicKey:
		return "an ECDSA key on P-" + strconv.Itoa(key.Curve.Params().BitSize)
	case ed25519.PublicKey:
		return "an Ed25519 key"
	}
	return "a key of an unknown kind"
}
