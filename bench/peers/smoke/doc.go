// Package smoke holds the test that every peer keeps the contract of the harness:
// it starts each with a real Redis and speaks to it as the harness does.
package smoke
