// Package sequencer makes plain PUBLISH durable.
package sequencer
