package command

import (
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
)

// newLog writes JSON lines, or text for people: as format says, which is LOG_FORMAT's.
func newLog(w io.Writer, format string, level zerolog.Level) zerolog.Logger {
	terminal := isTerminal(w)
	if format == "text" || format == "auto" && terminal {
		w = zerolog.ConsoleWriter{
			Out: w, NoColor: !terminal || os.Getenv("NO_COLOR") != "", TimeFormat: time.TimeOnly,
			FieldsOrder:   []string{"status", "method", "host", "path", "reason", "detail", "rule", "requirement", "subject"},
			FieldsExclude: []string{"event", "session_hash"},
		}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}
