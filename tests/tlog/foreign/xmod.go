// Verifies one of our logs with golang.org/x/mod/sumdb (note and tlog), the code behind Go's checksum database.
// Used by tests/tlog/test_foreign.py; built by scripts/foreign. Arguments: folder, vkey, and an older checkpoint's file.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error) {
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

// files reads tiles from the folder: Go names the height in its paths, C2SP does not.
type files struct{ folder string }

func (files) Height() int                      { return 8 }
func (files) SaveTiles([]tlog.Tile, [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(f.folder, strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

// head opens a checkpoint: x/mod's own parser accepts only the checksum database's origin.
func head(path string, keys note.Verifiers) (int64, tlog.Hash) {
	data, err := os.ReadFile(path)
	check(err)
	opened, err := note.Open(data, keys)
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		check(fmt.Errorf("not three lines"))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	hash, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	var root tlog.Hash
	copy(root[:], hash)
	return size, root
}

// entries cuts a bundle; the width says how many it must have.
func entries(folder string, bundle, size int64) [][]byte {
	width := size - bundle*256
	if width > 256 {
		width = 256
	}
	tile := tlog.Tile{H: 8, L: 0, N: bundle, W: int(width)}
	path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
	data, err := os.ReadFile(filepath.Join(folder, path))
	check(err)
	var found [][]byte
	for reader := bytes.NewReader(data); reader.Len() > 0; {
		var length uint16
		check(binary.Read(reader, binary.BigEndian, &length))
		entry := make([]byte, length)
		if n, _ := reader.Read(entry); n != int(length) {
			check(fmt.Errorf("%s is truncated", path))
		}
		found = append(found, entry)
	}
	if int64(len(found)) != width {
		check(fmt.Errorf("%s has %d entries", path, len(found)))
	}
	return found
}

func main() {
	folder := os.Args[1]
	verifier, err := note.NewVerifier(os.Args[2])
	check(err)
	keys := note.VerifierList(verifier)
	size, root := head(filepath.Join(folder, "checkpoint"), keys)
	oldSize, oldRoot := head(os.Args[3], keys)
	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, files{folder})
	whole, err := tlog.TreeHash(size, reader)
	check(err)
	if whole != root {
		check(fmt.Errorf("another root"))
	}
	for bundle := int64(0); bundle*256 < size; bundle++ {
		for at, entry := range entries(folder, bundle, size) {
			index := bundle*256 + int64(at)
			hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
			check(err)
			if hashes[0] != tlog.RecordHash(entry) {
				check(fmt.Errorf("entry %d is not the one in the tree", index))
			}
		}
	}
	proof, err := tlog.ProveTree(size, oldSize, reader)
	check(err)
	check(tlog.CheckTree(proof, size, root, oldSize, oldRoot))
	fmt.Println("accepted", size, root)
}
