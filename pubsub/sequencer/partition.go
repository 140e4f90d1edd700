package sequencer

import "time"

const (
	// leaveTimeout bounds the end of a Sequencer.
	leaveTimeout = 3 * time.Second
	// startTimeout is how long an own mark may take to come back.
	startTimeout = time.Second
	// markGap is the least time between two marks that somebody waits for.
	markGap = 10 * time.Millisecond
)

// partition is what a node does in one partition. It belongs to Run's
// goroutine.
type partition struct {
	seq     *Sequencer
	index   int
	machine *Machine

	held      bool      // this node has the leader's lease, as far as it knows
	until     time.Time // then it may be over
	free      int64     // with that: see Machine.Elect
	floor     uint64    // a term of this node's must be as great: logs have numbers of the one before
	standby   bool      // this node has the standby's lease
	standTerm uint64    // its term
	led       bool      // somebody has the leader's lease
	following bool      // messages are given to the machine
	points    points    // in the segment
	release   []held    // leases to give up
	began     time.Time // the segment began
	probed    time.Time // a probe was sent
	started   time.Time // the mark was sent that makes this node lead
	marked    time.Time // the last mark was sent
	led0      time.Time // began to lead
}

// begin has the machine follow from here on.
func (p *partition) begin() {
	p.machine.Begin(p.seq.where + "@" + p.seq.feed.where)
	p.following, p.began = true, time.Now()
	p.points = points{{id: p.seq.markID(), since: p.seq.feed.since}}
	p.probe()
}

// end notes that the node follows no longer.
func (p *partition) end() {
	if p.following {
		p.machine.Break()
	}
	p.following, p.points = false, nil
}

// probe asks the leader where it is.
func (p *partition) probe() {
	p.probed = time.Now()
	id := p.seq.markID()
	p.points = p.points.ask(id, p.seq.now)
	p.seq.say(Mark{ID: id, Node: p.seq.id, Partition: p.index})
}

// broken notes that something may have been missed: who has heard all shall
// lead.
func (p *partition) broken() {
	p.end()
	p.giveUp()
}

// giveUp gives up the leases.
func (p *partition) giveUp() {
	if p.held {
		p.release = append(p.release, held{leaderPart, p.machine.Term(), time.Now()})
	}
	if p.standby {
		p.release = append(p.release, held{standbyPart, p.standTerm, time.Now()})
	}
	p.held, p.standby = false, false
	p.seq.keeper.kick()
}

// awake looks at the clock, before anything else is told to the machine.
func (p *partition) awake(now time.Time) {
	if p.held && now.After(p.until) {
		p.machine.Lapse()
	}
}

func (p *partition) hear(m Message) {
	if !p.following {
		return
	}
	p.awake(time.Now())
	p.machine.Hear(m)
}

func (p *partition) hearMark(mark Mark) {
	if !p.following {
		return
	}
	p.awake(time.Now())
	before := p.machine.Role()
	p.machine.HearMark(mark)
	switch after := p.machine.Role(); {
	case before == Electing && after == Leading:
		p.leads(mark)
	case before != Following && after == Following:
		p.deposed()
	}
	if mark.Node == p.seq.id && mark.Term == 0 {
		p.points = p.points.heard(mark.ID, p.machine.Heard())
		p.seq.keeper.kick()
	}
	if mark.Over {
		p.seq.keeper.kick()
	}
}

// leads notes that this node has begun to lead.
func (p *partition) leads(mark Mark) {
	p.seq.stats.takeovers.Add(1)
	p.led0 = time.Now()
	p.seq.log.Info().Int("partition", p.index).Uint64("term", mark.Term).Uint64("chain", mark.Chain).Msg("sequencing bare messages")
	p.seq.judge()
}

// deposed notes that another leads.
func (p *partition) deposed() {
	p.seq.log.Info().Int("partition", p.index).Uint64("term", p.machine.Term()).Msg("another node sequences now")
	p.held = false
}

// beat does what time asks for.
func (p *partition) beat(now time.Time) {
	p.awake(now)
	if p.machine.Settling() && now.Sub(p.led0) >= p.seq.cfg.Settle {
		p.machine.Settle()
	}
	due, urgent := p.machine.MarkDue()
	if since := now.Sub(p.marked); due && (since >= p.seq.cfg.MarkEvery || urgent && since >= markGap) {
		p.marked = now
		p.tell(p.machine.Mark(p.seq.markID()))
	}
	if p.held && p.machine.Role() == Electing && now.Sub(p.started) >= startTimeout {
		p.elect(p.machine.Term())
	}
	if p.standby && p.following && !p.machine.Anchored() && now.Sub(p.probed) >= startTimeout {
		p.probe()
	}
}

func (p *partition) tell(m Mark) {
	m.Partition = p.index
	p.seq.say(m)
}

// elect asks the machine to lead.
func (p *partition) elect(term uint64) {
	p.started = time.Now()
	p.tell(p.machine.Elect(term, p.free, p.seq.markID()))
}

// electable reports whether the node may ask for the leader's lease. One that
// does not know the count is patient first: a leader that is only slow might
// tell.
func (p *partition) electable(now time.Time) (ok, patient bool) {
	if !p.standby || !p.following || !p.machine.Electable() {
		return false, false
	}
	return true, p.machine.Anchored() || now.Sub(p.began) >= p.seq.cfg.LeaseTTL
}
