// The leaderboard as a small server in Go would answer it, with net/http, pgx's pool and encoding/json: the side that
// `./arena bench leaderboard` compares with. The same database, the same page, the same JSON; nothing is kept.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const rows = `
SELECT a.id::text, u.id::text, a.owner, a.display_name, a.description, e.id::text, a.environment, a.elo, a.wins,
       a.losses, a.draws, a.rated_matches, a.provisional, s.id::text, a.active_version, a.message, a.created_at,
       a.updated_at, a.enabled, a.priority, lower(a.queue_state), a.queue_reason, a.range_now
FROM agents a
LEFT JOIN users u ON u.username = a.owner
LEFT JOIN environments e ON e.name = a.environment AND e.vanished_at IS NULL
LEFT JOIN submissions s ON s.object_name = a.active_submission AND s.vanished_at IS NULL
WHERE a.active_submission IS NOT NULL AND a.vanished_at IS NULL
ORDER BY a.elo DESC, a.rated_matches, a.created_at, a.id LIMIT $1`

const total = `SELECT count(*) FROM agents WHERE active_submission IS NOT NULL AND vanished_at IS NULL`

type matchmaking struct {
	Enabled  bool   `json:"enabled"`
	Priority int    `json:"priority"`
	State    string `json:"state"`
	Reason   string `json:"reason"`
	RangeNow int    `json:"rangeNow"`
}

type agent struct {
	ID                 string      `json:"id"`
	UserID             *string     `json:"userId"`
	Username           string      `json:"username"`
	Name               string      `json:"name"`
	Description        string      `json:"description"`
	EnvironmentID      *string     `json:"environmentId"`
	EnvironmentName    string      `json:"environmentName"`
	Elo                int         `json:"elo"`
	Score              int         `json:"score"`
	Wins               int         `json:"wins"`
	Losses             int         `json:"losses"`
	Draws              int         `json:"draws"`
	TotalMatches       int         `json:"totalMatches"`
	Provisional        bool        `json:"provisional"`
	Status             string      `json:"status"`
	ActiveSubmissionID *string     `json:"activeSubmissionId,omitempty"`
	ActiveVersion      int         `json:"activeVersion,omitempty"`
	Message            string      `json:"message,omitempty"`
	CreatedAt          time.Time   `json:"createdAt"`
	UpdatedAt          time.Time   `json:"updatedAt"`
	Rank               int         `json:"rank"`
	Matchmaking        matchmaking `json:"matchmaking"`
}

type page struct {
	Type        string  `json:"type"`
	Leaderboard []agent `json:"leaderboard"`
	Data        []agent `json:"data"`
	Total       int     `json:"total"`
	TotalItems  int     `json:"totalItems"`
	TotalPages  int     `json:"totalPages"`
	Page        int     `json:"page"`
	PageSize    int     `json:"pageSize"`
}

func scan(row pgx.CollectableRow) (agent, error) {
	a := agent{Status: "active"}
	m := &a.Matchmaking
	err := row.Scan(&a.ID, &a.UserID, &a.Username, &a.Name, &a.Description, &a.EnvironmentID, &a.EnvironmentName,
		&a.Elo, &a.Wins, &a.Losses, &a.Draws, &a.TotalMatches, &a.Provisional, &a.ActiveSubmissionID,
		&a.ActiveVersion, &a.Message, &a.CreatedAt, &a.UpdatedAt, &m.Enabled, &m.Priority, &m.State, &m.Reason,
		&m.RangeNow)
	a.Score = a.Elo
	return a, err
}

func read(ctx context.Context, pool *pgxpool.Pool, limit int) (page, error) {
	p := page{Type: "public", Page: 1, PageSize: limit}
	found, err := pool.Query(ctx, rows, limit)
	if err != nil {
		return p, err
	}
	if p.Leaderboard, err = pgx.CollectRows(found, scan); err != nil {
		return p, err
	}
	for i := range p.Leaderboard {
		p.Leaderboard[i].Rank = i + 1
	}
	if err = pool.QueryRow(ctx, total).Scan(&p.Total); err != nil {
		return p, err
	}
	p.Data, p.TotalItems, p.TotalPages = p.Leaderboard, p.Total, max(1, (p.Total+limit-1)/limit)
	return p, nil
}

func main() {
	address, url := os.Args[1], os.Args[2]
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /api/v1/leaderboard", func(w http.ResponseWriter, r *http.Request) {
		limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
		if err != nil || limit < 1 || limit > 100 {
			limit = 20
		}
		p, err := read(r.Context(), pool, limit)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(p); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(address, nil))
}
