// SPDX-License-Identifier: MIT
// Go wants an assembly file beside functions that have no body: those of linked.go.
