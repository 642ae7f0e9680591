package spelling

// Nearest is the known word that takes the fewest letters to insert, delete or replace to
// get from a mistyped one to it, and at most as many as atMost allows for it. Of several
// the first one counts; empty where there is none.
func Nearest(mistyped string, known []string, atMost func(known string) int) string {
	best, nearest := 0, ""
	for _, word := range known {
		if d := distance(mistyped, word); d <= atMost(word) && (nearest == "" || d < best) {
			best, nearest = d, word
		}
	}
	return nearest
}

// distance is that of Levenshtein, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
