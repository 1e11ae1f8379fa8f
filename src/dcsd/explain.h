/* SPDX-License-Identifier: ISC */
/* explain: says what the rules would decide, by the code that decides (dcsd --explain).
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdio.h>
#include "auth.h"
#include "rules.h"

enum explained { EXPLAIN_ALLOWED, EXPLAIN_DENIED, EXPLAIN_BAD };

/*
 * question: "client=ADDR user=NAME cmd=CMD target=HOST:PORT", in any order; client and
 * target must be there, cmd is connect if not. Writes to out every rule that is looked at
 * and why it matches or not, for each address of the target, or for the name alone when
 * it is not to be looked up. EXPLAIN_BAD: *why says what is wrong with the question.
 * auth knows the user's groups; NULL: he has none.
 */
enum explained explain(const struct rules *rules, struct auth *auth, const char *question,
	bool resolve, FILE *out, const char **why);

#endif
