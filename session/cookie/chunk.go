package cookie

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxBytes is how many bytes of name and value a browser takes in one cookie. It drops
// a larger one without a word.
const MaxBytes = 4096

// A longer sealed session is cut into chunks:
//
//	wos-session   = k1.3.f2yZ8bqN1mB4dQ0x.<first part>
//	wos-session.1 = k1.3.f2yZ8bqN1mB4dQ0x.<second part>
//	wos-session.2 = k1.3.f2yZ8bqN1mB4dQ0x.<last part>
//
// The number is the count, and what follows begins the SHA-256 of the whole, so
// that parts of two generations never make one. WorkOS's SDKs can't read chunks.
const (
	chunkSize = 3800
	maxChunks = 8 // 30 KB: as much as fits the header buffers that gateways commonly have
	chunkMark = "k1."
	chunkHead = len("k1.3.f2yZ8bqN1mB4dQ0x.")
)

func (c Config) split(sealed string) ([]string, error) {
	if len(c.Name)+len(c.escape(sealed)) <= MaxBytes {
		return []string{sealed}, nil
	}
	count := (len(sealed) + chunkSize - 1) / chunkSize
	if count > maxChunks {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(sealed))
	}
	values := make([]string, 0, count)
	for ; len(sealed) > chunkSize; sealed = sealed[chunkSize:] {
		values = append(values, sealed[:chunkSize])
	}
	values = append(values, sealed)
	start := chunkStart(values...)
	for i, data := range values {
		values[i] = start + data
	}
	return values, nil
}

func (c Config) chunkName(i int) string {
	if i == 0 {
		return c.Name
	}
	return c.Name + "." + strconv.Itoa(i)
}

// generation is a session in chunks, as far as they are there.
type generation struct {
	start string // what each of its chunks begins with
	data  [maxChunks]string
}

// generations are those whose first chunk is there: no other can be whole.
type generations []generation

// begin adds the one of a first chunk, unless it is there.
func (g *generations) begin(value string) {
	start, ok := startOf(value)
	if !ok || len(*g) == maxCandidates {
		return
	}
	for _, known := range *g {
		if known.start == start {
			return
		}
	}
	*g = append(*g, generation{start: start})
}

// add puts a chunk into its generation.
func (g generations) add(index int, value string) {
	start, ok := startOf(value)
	if !ok {
		return
	}
	for i := range g {
		if g[i].start == start {
			g[i].data[index] = value[chunkHead:]
		}
	}
}

// startOf is what a chunk begins with. It returns false where nothing follows, or
// where the count can't be right.
func startOf(value string) (start string, ok bool) {
	if len(value) <= chunkHead || value[:len(chunkMark)] != chunkMark {
		return "", false
	}
	count := value[len(chunkMark)]
	return value[:chunkHead], count >= '2' && count <= '0'+maxChunks
}

// join returns the session, and false where a chunk is missing or it isn't what its
// hash says.
func (g *generation) join() (sealed string, ok bool) {
	data := g.data[:g.start[len(chunkMark)]-'0']
	if slices.Contains(data, "") || chunkStart(data...) != g.start {
		return "", false
	}
	return strings.Join(data, ""), true
}

// chunkStart is what each chunk of a session begins with that is cut into these.
func chunkStart(data ...string) string {
	sum := Hash(data...)
	return chunkMark + strconv.Itoa(len(data)) + "." + base64.RawURLEncoding.EncodeToString(sum[:12]) + "."
}

// Hash returns the SHA-256 of the strings, one after the other. It hashes piece by piece:
// a conversion would copy kilobytes to the heap for every request.
func Hash(data ...string) (sum [sha256.Size]byte) {
	var piece [512]byte
	digest := sha256.New()
	for _, s := range data {
		for len(s) > 0 {
			n := copy(piece[:], s)
			digest.Write(piece[:n])
			s = s[n:]
		}
	}
	digest.Sum(sum[:0])
	return sum
}
