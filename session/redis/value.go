package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
)

// A value is its tag, then what is sealed. Each script is about one key, so that it
// runs in a cluster too. TIME is the server's; that of a replica may differ from the
// master's, as their hosts' clocks do.
//
// load gives a value a new time to live. Where Redis refuses that, the value is good
// nevertheless.
const load = `local now = redis.call("TIME")
local value = redis.call("GET", KEYS[1])
if value and tonumber(ARGV[1]) > 0 then redis.pcall("PEXPIRE", KEYS[1], ARGV[1]) end
return {value or "", now[1], now[2]}`

// swap replaces a value whose tag is still ARGV[1], empty for none, by ARGV[2], and
// announces it. pcall hands on how Redis refuses the write, where call would put words
// of its own before it in Redis 6.
const swap = `local now = redis.call("TIME")
local current = redis.call("GET", KEYS[1]) or ""
if string.sub(current, 1, 16) ~= ARGV[1] then return {"0", current, now[1], now[2]} end
local written = redis.pcall("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
if written.err then return written end
if ARGV[5] ~= "" then redis.call("PUBLISH", ARGV[4], ARGV[5]) end
return {"1", "", now[1], now[2]}`

// Load returns the value under key, zero where there is none, and Redis's time. The
// value lives for ttl from now; ttl 0 leaves that as it is.
func (s *Store) Load(ctx context.Context, key string, ttl time.Duration) (replica.Value, time.Time, error) {
	var value replica.Value
	var now time.Time
	err := s.call(ctx, "load", func(ctx context.Context) error {
		parts, err := s.run(ctx, load, 3, key, milliseconds(ttl))
		if err != nil {
			return err
		}
		if value, err = decode(parts[0]); err != nil {
			return err
		}
		now, err = clock(parts[1], parts[2])
		return err
	})
	if err != nil {
		return replica.Value{}, time.Time{}, err
	}
	return value, now, nil
}

// Swap puts next under key, to live for ttl, if the tag there is still old, and
// publishes the announcement in the same step. Else it returns what is there. An error
// may come after the value was written: the tag tells, when it is loaded again.
func (s *Store) Swap(ctx context.Context, key string, old replica.Tag, next replica.Value, ttl time.Duration, announcement []byte) (swapped bool, current replica.Value, now time.Time, err error) {
	if next.Tag == (replica.Tag{}) || ttl <= 0 {
		return false, replica.Value{}, time.Time{}, errors.New("redis: swap: a value needs a tag and a time to live")
	}
	expected := ""
	if old != (replica.Tag{}) {
		expected = string(old[:])
	}
	err = s.call(ctx, "swap", func(ctx context.Context) error {
		parts, err := s.run(ctx, swap, 4, key, expected, encode(next), milliseconds(ttl), s.channel, announcement)
		if err != nil {
			return refusal(err)
		}
		swapped = parts[0] == "1"
		if current, err = decode(parts[1]); err != nil {
			return err
		}
		now, err = clock(parts[2], parts[3])
		return err
	})
	if err != nil {
		return false, replica.Value{}, time.Time{}, err
	}
	return swapped, current, now, nil
}

// refusals are the errors with which Redis refuses writes while it answers reads and
// PUBLISH. LOADING, MASTERDOWN and CLUSTERDOWN aren't among them: reads fail too. See
// "Error handling" at https://redis.io/docs/latest/develop/clients/error-handling/ and
// where each is explained.
var refusals = [...]string{
	"OOM",        // maxmemory: https://redis.io/docs/latest/develop/reference/eviction/
	"READONLY",   // a replica: https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
	"MISCONF",    // stop-writes-on-bgsave-error: https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
	"NOREPLICAS", // min-replicas-to-write: https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
}

// refusal makes ErrFull of an error that refuses the write only.
func refusal(err error) error {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return err
	}
	code, _, _ := strings.Cut(strings.TrimPrefix(reply.Error(), "-"), " ") // Redis 6 leaves the sign of an error in it
	for _, known := range refusals {
		if code == known {
			return fmt.Errorf("%w: %w", replica.ErrFull, err)
		}
	}
	return err
}

func encode(v replica.Value) []byte { return append(v.Tag[:], v.Sealed...) }

// decode is the inverse of encode. What isn't a value of ours is an error: it must not
// be taken for none, and overwritten.
func decode(raw string) (v replica.Value, err error) {
	if raw == "" {
		return v, nil
	}
	if n := copy(v.Tag[:], raw); n < len(v.Tag) || v.Tag == (replica.Tag{}) {
		return replica.Value{}, fmt.Errorf("%w: a value without a tag", errAnswer)
	}
	v.Sealed = []byte(raw[len(v.Tag):])
	return v, nil
}

// clock reads the answer of TIME.
func clock(seconds, microseconds string) (time.Time, error) {
	s, err := strconv.ParseInt(seconds, 10, 64)
	us, too := strconv.ParseInt(microseconds, 10, 64)
	if err := errors.Join(err, too); err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return time.Unix(s, us*1000), nil
}

// milliseconds rounds up, so that no time to live is none.
func milliseconds(d time.Duration) int64 {
	return (d + time.Millisecond - 1).Milliseconds()
}
