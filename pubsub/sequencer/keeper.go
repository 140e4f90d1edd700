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
	floor     uint64 // the least term for the leader's lease
	leaving   bool   // the leader's lease is to be given up
	server    string // what this node is connected to; "" where others hear the same elsewhere
	points    points // in this node's segment
}

// held is a lease that this node has, or has had.
type held struct {
	part  string
	term  uint64
	ended time.Time // when it acted on it last
}

// answer is what has come of a question.
type answer struct {
	question
	failed bool         // Redis did not say; the rest means nothing
	leader lease.Grant  // Held: this node has the leader's lease
	stands lease.Grant  // Held: this node has the standby's lease
	led    bool         // somebody has the leader's lease
	last   lease.Before // who has it or had it, unless this node asked for it
	now    int64        // Redis' time, before the answer
	heir   lease.Seen   // the standby's lease, for a leader that leaves
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
		if err := k.seq.leases.Release(ctx, leaseName(h.part, a.partition), k.seq.id, h.term, h.ended); err != nil {
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
	a.led, a.last, a.now = before.Held && before.Owner != k.seq.id, before.Before, before.Now
	if before.Held || !a.stands.Held || !a.elect || !a.patient && !a.alone(k.seq.id, before.Before) {
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
		Name: leaseName(leaderPart, a.partition), Owner: k.seq.id, TTL: k.seq.cfg.LeaseTTL, Renew: a.lead, Note: a.server, Floor: a.floor,
	})
	a.now = a.leader.Now
	return err
}

// alone reports whether the last leader, if there was one, was none any more
// when this node was connected.
func (q question) alone(self string, last lease.Before) bool {
	return q.free(self, last) == 0
}

// free returns the first place in the segment after which the last leader, if
// there was one, can have appended nothing; -1 when none is known. This node
// itself leads no longer than its segment lasts.
func (q question) free(self string, last lease.Before) int64 {
	if last.Owner == "" || last.Owner == self || last.Note != q.server && last.Note != "" && q.server != "" {
		return 0
	}
	return q.points.after(last.Until)
}

// question says what p needs.
func (p *partition) question(now time.Time) question {
	q := question{
		partition: p.index, release: p.release, lead: p.held,
		stand: !p.held && !p.seq.leaving, leaving: p.seq.leaving, floor: p.floor,
	}
	if p.machine.Ready() {
		q.note = readyNote
	}
	q.elect, q.patient = p.electable(now)
	if p.following {
		q.server, q.points = p.seq.feed.server(), p.points
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
	if a.now != 0 {
		p.seq.now = a.now
	}
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
	case p.standby && p.following && p.machine.Electable() && !p.seq.leaving && p.points.same(a.points):
		p.held, p.until, p.free = true, a.leader.Until, a.free(p.seq.id, a.leader.Before)
		p.elect(a.leader.Term)
	default: // the connection broke meanwhile
		p.release = append(p.release, held{leaderPart, a.leader.Term, time.Now()})
		p.seq.keeper.kick()
	}
}

func (p *partition) standbyAnswered(a answer) {
	switch {
	case a.stand && a.stands.Held && (p.held || p.seq.leaving):
		p.standby = false
		p.release = append(p.release, held{standbyPart, a.stands.Term, time.Now()})
		p.seq.keeper.kick()
	case a.stand && a.stands.Held:
		p.standby, p.standTerm = true, a.stands.Term
		p.clearUp(a)
	case a.stand && !p.held: // others have both parts
		p.standby = false
	}
}

// clearUp has a node that stands by, and does not know the count, find a place
// that is after all that the last leader has appended.
func (p *partition) clearUp(a answer) {
	if p.following && !p.held && !a.led && !p.machine.Anchored() && !p.points.asked(a.last.Until) {
		p.probe()
	}
}

// handOver gives up the leader's lease for good: the standby has what this node
// will not append any more.
func (p *partition) handOver() {
	p.machine.Lapse()
	p.giveUp()
}
