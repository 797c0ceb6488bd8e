package cluster

// Work is how much there is to compute, before anything is.
type Work struct {
	Requests []RequestWork `json:"requests"`
}

// RequestWork is one request's.
type RequestWork struct {
	Kind  string `json:"kind"`
	Items int    `json:"items"` // items or texts; 0 = not known before the model is read
	Arms  int    `json:"arms"`
}

// Items is the number of items of the smallest request: more parts than that would have nothing to do. 0 = not known.
func (w *Work) Items() int {
	least := 0
	for _, r := range w.Requests {
		if r.Items > 0 && (least == 0 || r.Items < least) {
			least = r.Items
		}
	}
	return least
}
