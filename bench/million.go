package bench

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ginforge/gateway/bench/worker"
)

// Million opens as many connections as the machine can hold, over many nodes
// joined by one Redis, and reaches all of them with one PUBLISH.
type Million struct{ P Parameters }

// Name is million.
func (Million) Name() string { return "million" }

// Parameters are what it was set to.
func (m Million) Parameters() Parameters { return m.P }

// Validate tells what is wrong with the parameters, or too small on this machine.
func (m Million) Validate() error {
	if m.P.Rooms < 1 || m.P.Connections%m.P.Rooms != 0 {
		return fmt.Errorf("rooms: %d, want a number that %d connections can be spread over evenly", m.P.Rooms, m.P.Connections)
	}
	if err := m.P.validate(); err != nil {
		return err
	}
	var files int
	if b, err := os.ReadFile("/proc/sys/fs/file-max"); err == nil {
		_, _ = fmt.Sscan(string(b), &files) // 0 when it is no number
	}
	if need := 2*m.P.Connections + 100*m.P.Nodes; files > 0 && need > files {
		return fmt.Errorf("connections: %d need about %d files on this machine, whose fs.file-max is %d", m.P.Connections, need, files)
	}
	return nil
}

// What says what is done.
func (m Million) What() string {
	return fmt.Sprintf("%d users connect with a token each to %d nodes joined by one Redis and join %d rooms; then one message reaches them all, and one each room",
		m.P.Connections, m.P.Nodes, m.P.Rooms)
}

// Run connects everybody and publishes, to all and to each room.
func (m Million) Run(ctx context.Context, s *Stage) error {
	s.favourRedis()
	if err := s.gather(ctx, m.P, worker.ModeRoom); err != nil {
		return err
	}
	if err := s.settle(ctx, m.P.Settle); err != nil {
		return err
	}
	everybody := func(int) (channel, room string) { return "websocket:broadcast", "" }
	plan := Plan{Rate: 1, N: 1, Burst: 1, Streams: 1, Size: 133, Channel: everybody}
	var err error
	s.Result.Delivery, s.Result.Client, err = s.publish(ctx, plan, worker.ModeAll, m.P.Connections)
	if err != nil {
		return err
	}
	d := s.Result.Delivery
	s.Result.Notes = append(s.Result.Notes, fmt.Sprintf("one PUBLISH reached %d of %d within %.1f s of when it was due", d.Received, d.Expected, d.Seconds))
	plan = Plan{Rate: 20, N: m.P.Rooms, Burst: 1, Streams: m.P.Rooms, Size: 133, Channel: roomChannels(m.P.Rooms)}
	rooms, _, err := s.publish(ctx, plan, worker.ModeRoom, m.P.Connections/m.P.Rooms)
	if err != nil {
		return err
	}
	s.Result.Notes = append(s.Result.Notes, fmt.Sprintf("one message to each of %d rooms, 20 rooms a second: %d deliveries, %d lost, %d duplicated",
		m.P.Rooms, rooms.Received, rooms.Lost, rooms.Duplicated))
	if lost := d.Lost + rooms.Lost; lost != 0 {
		return fmt.Errorf("bench: %d messages were lost", lost)
	}
	return nil
}

// favourRedis gives the harness's Redis the right of way, where the harness may do
// that: while a hundred processes want the cores at once it would wait for over
// ten seconds, and the nodes would take it for gone.
func (s *Stage) favourRedis() {
	if s.RedisPID == 0 {
		return
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, s.RedisPID, redisPriority); err != nil {
		s.Result.Notes = append(s.Result.Notes, fmt.Sprintf("Redis has no higher priority than the rest: %v", err))
	}
}

// redisPriority is a nice value (setpriority(2)).
const redisPriority = -15
