package presence

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// reconcile removes devices from Redis that have gone from here, and adds those
// that Redis could not be asked about before, or may have lost; then it enforces the
// limit.
func (p *Presence) reconcile(ctx context.Context, life string, batch []change) error {
	if !p.cfg.Policy.On() {
		return nil
	}
	over, err := p.reconcileAll(ctx, life, batch)
	if err != nil {
		return err
	}
	return p.enforce(ctx, life, over)
}

// reconcileAll returns the users who may have more devices now than they may.
func (p *Presence) reconcileAll(ctx context.Context, life string, batch []change) (over []string, err error) {
	p.deciding.Lock()
	defer p.deciding.Unlock()
	calls := make([]call, len(batch))
	late := make([][]string, len(batch))
	for i, c := range batch {
		calls[i], late[i] = p.reconcileCall(life, c)
	}
	for i, r := range runAll(ctx, p.client, reconcileScript, calls) {
		added, err := r.Int()
		if err != nil {
			return nil, fmt.Errorf("presence: devices: %w", err)
		}
		if added > 0 {
			over = append(over, batch[i].user)
		}
		p.told(batch[i].user, late[i])
	}
	return over, nil
}

// told notes that Redis knows of connections that were let in unasked.
func (p *Presence) told(user string, clients []string) {
	if len(clients) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	left := slices.DeleteFunc(p.unasked[user], func(c string) bool { return slices.Contains(clients, c) })
	if p.unasked[user] = left; len(left) == 0 {
		delete(p.unasked, user)
	}
}

// reconcileCall asks the node for the user's devices. The caller holds deciding,
// so Redis lets nobody in meanwhile; whom it has let in before is one of the
// node's devices, or still pending, which is looked at first.
func (p *Presence) reconcileCall(life string, c change) (_ call, late []string) {
	p.mu.Lock()
	asked, late := slices.Clone(p.pending[c.user]), slices.Clone(p.unasked[c.user])
	p.mu.Unlock()
	args := make([]any, 0, 4+len(asked))
	args = append(args, life, len(asked))
	for _, client := range asked {
		args = append(args, client)
	}
	for _, d := range p.node.Devices(c.user) {
		args = append(args, d.ClientID, d.DeviceID, flag(c.again || slices.Contains(late, d.ClientID)))
	}
	return call{keys: []string{p.devicesKey(c.user)}, args: args}, late
}

// release removes all devices of a life from users.
func (p *Presence) release(ctx context.Context, life string, users []string) error {
	if !p.cfg.Policy.On() {
		return nil
	}
	calls := make([]call, len(users))
	for i, u := range users {
		calls[i] = call{keys: []string{p.devicesKey(u)}, args: []any{life, 0}}
	}
	for _, r := range runAll(ctx, p.client, reconcileScript, calls) {
		if err := r.Err(); err != nil {
			return fmt.Errorf("presence: release devices: %w", err)
		}
	}
	return nil
}

// enforce ends what users have too much.
func (p *Presence) enforce(ctx context.Context, life string, users []string) error {
	if len(users) == 0 || p.cfg.Policy.Max == 0 {
		return nil
	}
	calls := make([]call, len(users))
	for i, u := range users {
		calls[i] = p.admitCall(life, admission{user: u}, p.lease.Dead())
	}
	kicks := newKicks(p.kick)
	defer kicks.wait()
	for i, r := range runAll(ctx, p.client, admitScript, calls) {
		answer, err := r.StringSlice()
		if err != nil {
			return fmt.Errorf("presence: enforce the limit: %w", err)
		}
		if len(answer) > 1 {
			p.stats.replaced.Add(uint64(len(answer) / 2))
			kicks.start(ctx, users[i], answer[1:], !p.cfg.Policy.ReplaceOldest, func() {})
		}
	}
	return nil
}

// kicks ends connections at several nodes at a time.
type kicks struct {
	kick    Kick
	running sync.WaitGroup
	slots   chan struct{} // one for each that runs
}

func newKicks(k Kick) *kicks { return &kicks{kick: k, slots: make(chan struct{}, maxKicks)} }

// start ends victims, CLIENT, LIFE, CLIENT, LIFE, ..., and calls then. It waits
// when too many are under way.
func (k *kicks) start(ctx context.Context, user string, victims []string, refused bool, then func()) {
	byLife := map[string][]string{}
	for i := 0; i+1 < len(victims); i += 2 {
		byLife[victims[i+1]] = append(byLife[victims[i+1]], victims[i])
	}
	ctx = context.WithoutCancel(ctx) // each call has a limit of its own
	k.slots <- struct{}{}
	k.running.Go(func() {
		defer func() { <-k.slots }()
		for life, clients := range byLife {
			k.kick(ctx, life, user, clients, refused)
		}
		then()
	})
}

func (k *kicks) wait() { k.running.Wait() }
