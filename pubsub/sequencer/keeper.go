package sequencer

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/ginforge/gateway/pubsub/lease"
)

// The parts that nodes have in a partition, as they stand in the names of
// leases.
const (
	leaderPart  = "leader"
	standbyPart = "standby"
)

// readyNote is the note of a standby that could take over without a loss.
const readyNote = "ready"

// keeper asks Redis for leases, and keeps them. Its rounds run on a goroutine of
// their own; what it asks and what becomes of the answers belongs to Run's.
type keeper struct {
	seq       *Sequencer
	questions chan []question
	answers   chan []answer

	// Of Run's goroutine.
	asking bool      // a round is on its way
	next   time.Time // when the next is due
}

// question is what a node wants of Redis in a partition.
type question struct {
	partition int
	release   []held
	lead      bool   // renew the leader's lease
	stand     bool   // take or renew the standby's lease
	note      string // of the standby's lease
	elect     bool   // take the leader's lease, if this node stands by
	patient   bool   // even if a leader may have appended since this node is connected
	leaving   bool   // the leader's lease is to be given up
	server    string // what this node is connected to
	since     int64  // since when, in Redis' time
}

// held is a lease that this node has, or has had.
type held struct {
	part string
	term uint64
}

// answer is what has come of a question.
type answer struct {
	question
	failed bool        // Redis did not say; the rest means nothing
	leader lease.Grant // Held: this node has the leader's lease
	alone  bool        // with that: nobody can have appended since this node is connected
	stands lease.Grant // Held: this node has the standby's lease
	led    bool        // somebody has the leader's lease
	heir   lease.Seen  // the standby's lease, for a leader that leaves
}

func newKeeper(s *Sequencer) *keeper {
	return &keeper{seq: s, questions: make(chan []question, 1), answers: make(chan []answer, 1)}
}

// kick has the next round begin at the next beat.
func (k *keeper) kick() { k.next = time.Time{} }

// ask begins a round if one is due.
func (k *keeper) ask(now time.Time) {
	if k.asking || now.Before(k.next) {
		return
	}
	k.asking = true
	pause := k.seq.cfg.LeaseTTL / 2
	round := make([]question, Partitions)
	for i, p := range k.seq.partitions {
		if p.held || p.standby {
			pause = k.seq.cfg.LeaseTTL / 6
		}
		round[i] = p.question(now)
		p.release = nil
	}
	k.next = now.Add(pause - rand.N(pause/4)) // so that nodes do not ask in step
	k.questions <- round                      // has room: only one is on its way
}

// run answers rounds until ctx ends.
func (k *keeper) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case round := <-k.questions:
			answers := make([]answer, len(round))
			limited, cancel := context.WithTimeout(ctx, k.seq.cfg.LeaseTTL/2)
			for i, q := range round {
				answers[i] = k.answer(limited, q)
			}
			cancel()
			k.answers <- answers // has room, as above
		}
	}
}

// answer does what q asks for.
func (k *keeper) answer(ctx context.Context, q question) answer {
	a := answer{question: q}
	if err := k.try(ctx, &a); err != nil {
		a.failed = true
		k.seq.log.Debug().Err(err).Int("partition", q.partition).Msg("leases not kept")
	}
	return a
}

func (k *keeper) try(ctx context.Context, a *answer) (err error) {
	for _, h := range a.release {
		if err := k.seq.leases.Release(ctx, leaseName(h.part, a.partition), k.seq.id, h.term); err != nil {
			return err
		}
	}
	if a.stand {
		a.stands, err = k.seq.leases.Acquire(ctx, lease.Ask{
			Name: leaseName(standbyPart, a.partition), Owner: k.seq.id, TTL: k.seq.cfg.LeaseTTL, Note: a.note,
		})
		if err != nil {
			return err
		}
	}
	if a.lead {
		return k.keep(ctx, a)
	}
	before, err := k.seq.leases.Look(ctx, leaseName(leaderPart, a.partition))
	if err != nil {
		return err
	}
	a.led = before.Held && before.Owner != k.seq.id
	if before.Held || !a.stands.Held || !a.elect || !a.patient && !a.question.alone(k.seq.id, before.Before) {
		return nil
	}
	return k.acquire(ctx, a)
}

// keep renews the leader's lease.
func (k *keeper) keep(ctx context.Context, a *answer) (err error) {
	if err = k.acquire(ctx, a); err == nil && a.leaving {
		a.heir, err = k.seq.leases.Look(ctx, leaseName(standbyPart, a.partition))
	}
	return err
}

// acquire takes or renews the leader's lease.
func (k *keeper) acquire(ctx context.Context, a *answer) (err error) {
	a.leader, err = k.seq.leases.Acquire(ctx, lease.Ask{
		Name: leaseName(leaderPart, a.partition), Owner: k.seq.id, TTL: k.seq.cfg.LeaseTTL, Renew: a.lead, Note: a.server,
	})
	if err != nil {
		return err
	}
	a.alone = a.question.alone(k.seq.id, a.leader.Before)
	return nil
}

// alone reports whether the last leader, if there was one, was none any more
// when this node was connected; this node itself leads no longer than that.
func (q question) alone(self string, last lease.Before) bool {
	return last.Owner == "" || last.Owner == self || last.Until <= q.since ||
		last.Note != q.server && last.Note != "" && q.server != ""
}

// question says what p needs.
func (p *partition) question(now time.Time) question {
	q := question{
		partition: p.index, release: p.release, lead: p.held,
		stand: !p.held && !p.seq.leaving, leaving: p.seq.leaving,
	}
	if p.machine.Ready() {
		q.note = readyNote
	}
	q.elect, q.patient = p.electable(now)
	if p.seq.connected {
		q.server, q.since = p.seq.feed.where, p.seq.feed.since
	}
	return q
}

// answered takes what Redis has said about leases. What was asked may have
// changed since.
func (p *partition) answered(a answer) {
	if a.failed {
		p.release = append(a.release, p.release...)
		return
	}
	p.led = a.led
	p.leaderAnswered(a)
	p.standbyAnswered(a)
	if a.leaving && p.held && (!a.heir.Held || a.heir.Owner == p.seq.id || a.heir.Note == readyNote) {
		p.handOver()
	}
	for _, h := range a.release {
		if h.part == leaderPart && p.machine.Role() == Leading {
			m := p.machine.Mark(p.seq.markID())
			m.Over = true
			p.tell(m)
		}
	}
}

func (p *partition) leaderAnswered(a answer) {
	switch {
	case a.lead && !p.held: // it was given up meanwhile
	case a.lead && a.leader.Held && a.leader.Term == p.machine.Term():
		p.until = a.leader.Until
		p.machine.Renew()
	case a.lead:
		p.deposed()
		p.machine.Depose()
	case !a.leader.Held:
	case p.standby && p.following && p.machine.Electable() && !p.seq.leaving:
		p.held, p.until, p.alone = true, a.leader.Until, a.alone
		p.elect(a.leader.Term)
	default: // the connection broke meanwhile
		p.release = append(p.release, held{leaderPart, a.leader.Term})
		p.seq.keeper.kick()
	}
}

func (p *partition) standbyAnswered(a answer) {
	switch {
	case a.stand && a.stands.Held && (p.held || p.seq.leaving):
		p.standby = false
		p.release = append(p.release, held{standbyPart, a.stands.Term})
		p.seq.keeper.kick()
	case a.stand && a.stands.Held:
		p.standby, p.standTerm = true, a.stands.Term
		if p.seq.connected && !p.following {
			p.begin()
		}
	case a.stand && !p.held: // others have both parts; what was heard is for neither
		p.standby = false
		if p.following {
			p.machine.Break()
			p.following = false
		}
	}
}

// handOver gives up the leader's lease for good: the standby has what this node
// will not append any more.
func (p *partition) handOver() {
	p.machine.Lapse()
	p.giveUp()
}
