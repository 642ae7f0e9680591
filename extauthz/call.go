package extauthz

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxMessage is the size of a check in bytes: headers of 96 KB, twice, and room. Envoy sends no body of the request unless
// with_request_body asks it to.
const maxMessage = 1 << 20

// readTimeout is how long a message may take to arrive.
const readTimeout = 5 * time.Second

// code is a status code of gRPC.
type code int

const (
	codeOK                code = 0
	codeInvalidArgument   code = 3
	codeDeadlineExceeded  code = 4
	codeNotFound          code = 5
	codeResourceExhausted code = 8
	codeUnimplemented     code = 12
	codeInternal          code = 13
)

// callError is an error that its caller gets as the status of the call. Envoy denies a request whose call fails.
type callError struct {
	code    code
	message string
}

func (e *callError) Error() string { return e.message }

func callErrorf(c code, format string, args ...any) error {
	return &callError{c, fmt.Sprintf(format, args...)}
}

// call answers a unary call of gRPC: f gets the request's message and returns the answer's.
func call(w http.ResponseWriter, r *http.Request, f func(ctx context.Context, message []byte) ([]byte, error)) error {
	contentType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if r.Method != http.MethodPost || r.ProtoMajor != 2 || contentType != "application/grpc" && contentType != "application/grpc+proto" {
		http.Error(w, "this is an endpoint of gRPC", http.StatusUnsupportedMediaType)
		return nil
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout)) // HTTP/2 can
	answer, err := unary(r, f)
	header := w.Header()
	header.Set("Content-Type", "application/grpc")
	header.Set("Grpc-Accept-Encoding", "identity")
	header.Set("Trailer", "Grpc-Status, Grpc-Message")
	if err == nil {
		_, _ = w.Write(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(answer))))
		_, _ = w.Write(answer) // a gateway that has gone away
		header.Set("Grpc-Status", "0")
		return nil
	}
	failed := &callError{code: codeInternal, message: err.Error()}
	errors.As(err, &failed)
	w.WriteHeader(http.StatusOK)
	header.Set("Grpc-Status", strconv.Itoa(int(failed.code)))
	header.Set("Grpc-Message", escapeMessage(failed.message))
	return failed
}

func unary(r *http.Request, f func(ctx context.Context, message []byte) ([]byte, error)) ([]byte, error) {
	ctx := r.Context()
	if text := r.Header.Get("Grpc-Timeout"); text != "" {
		timeout, err := parseTimeout(text)
		if err != nil {
			return nil, err
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	message, err := readMessage(r)
	if err != nil {
		return nil, err
	}
	answer, err := f(ctx, message)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, callErrorf(codeDeadlineExceeded, "not answered within the gateway's timeout of %s", r.Header.Get("Grpc-Timeout"))
	}
	return answer, err
}

// readMessage reads the only message of a call: a byte that says whether it is compressed, four of its length, itself.
func readMessage(r *http.Request) ([]byte, error) {
	if encoding := r.Header.Get("Grpc-Encoding"); encoding != "" && encoding != "identity" {
		return nil, callErrorf(codeUnimplemented, "grpc-encoding %q: messages must not be compressed", encoding)
	}
	var prefix [5]byte
	if _, err := io.ReadFull(r.Body, prefix[:]); err != nil {
		return nil, callErrorf(codeInvalidArgument, "no message: %v", err)
	}
	if prefix[0] != 0 {
		return nil, callErrorf(codeUnimplemented, "messages must not be compressed")
	}
	size := binary.BigEndian.Uint32(prefix[1:])
	if size > maxMessage {
		return nil, callErrorf(codeResourceExhausted, "a message of %d bytes: at most %d are read, so leave with_request_body out", size, maxMessage)
	}
	message := make([]byte, size)
	if _, err := io.ReadFull(r.Body, message); err != nil {
		return nil, callErrorf(codeInvalidArgument, "message ends early: %v", err)
	}
	if _, err := io.ReadFull(r.Body, prefix[:1]); !errors.Is(err, io.EOF) {
		return nil, callErrorf(codeInvalidArgument, "more than one message")
	}
	return message, nil
}

// parseTimeout reads a grpc-timeout: at most eight digits and a unit.
func parseTimeout(text string) (time.Duration, error) {
	digits, unit := text[:len(text)-1], text[len(text)-1:]
	units := map[string]time.Duration{
		"H": time.Hour, "M": time.Minute, "S": time.Second, "m": time.Millisecond, "u": time.Microsecond, "n": time.Nanosecond,
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || len(digits) > 8 || units[unit] == 0 {
		return 0, callErrorf(codeInvalidArgument, "malformed grpc-timeout")
	}
	return min(time.Duration(n), 24*time.Hour/units[unit]) * units[unit], nil
}

// escapeMessage percent-encodes what a grpc-message may not hold.
func escapeMessage(message string) string {
	var b strings.Builder
	for i := range len(message) {
		if c := message[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
