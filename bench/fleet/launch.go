package fleet

// Open asks for n more connections; Run makes them at the rate of the options,
// or as fast as InFlight allows.
func (f *Fleet) Open(n int) {
	if f.fresh == 0 {
		f.planned, f.epoch = 0, Now()
	}
	f.conns = append(f.conns, make([]conn, n)...)
	f.fresh += n
}

// Reserve adds n connections that are only made when Reopen asks for each. It must
// not be mixed with Open.
func (f *Fleet) Reserve(n int) {
	for range n {
		f.conns = append(f.conns, conn{state: stateClosed})
	}
	f.next = len(f.conns)
}

// Reopen asks for a closed connection to be made anew, under its number; since is
// when that was meant to begin. Connections that were never made come first.
func (f *Fleet) Reopen(i int, since int64) {
	f.conns[i] = conn{started: since}
	f.again = append(f.again, int32(i))
}

// launch starts the handshakes that are due, up to the limit in flight. A
// handshake that the limit holds back still counts from when it was due.
func (f *Fleet) launch() {
	for f.fresh > 0 && f.flying < f.opt.InFlight {
		started := f.due()
		if started > Now() {
			break
		}
		i := f.next
		f.next++
		f.fresh--
		f.planned++
		f.begin(i, started)
	}
	for len(f.again) > 0 && f.flying < f.opt.InFlight {
		i := int(f.again[0])
		f.again = f.again[1:]
		f.begin(i, f.conns[i].started)
	}
}

// due returns when the next fresh connection is to begin: by the plan of an open
// loop when there is a rate, at once without.
func (f *Fleet) due() int64 {
	if f.opt.Rate <= 0 {
		return Now()
	}
	return f.epoch + int64(float64(f.planned)*1e9/f.opt.Rate)
}

func (f *Fleet) begin(i int, started int64) {
	f.flying++
	if err := f.connect(i, started); err != nil {
		f.end(i, err)
	}
}
