#include "plugin/ranges.h"

/* Of a range at most network, broadcast and gateway stand together that are not
 * offered. A longer run is a range of addresses that no host can have (multicast,
 * loopback): nobody walks over 2^64 of them. */
enum { UNUSABLE_RUN_MAX = 1024 };

static bool
in_span(const struct ip_range *span, const struct ip *ip)
{
	return span->first.family == ip->family && ip_compare(&span->first, ip) <= 0 &&
	       ip_compare(ip, &span->last) <= 0;
}

void
range_walk_start(
    const struct range_set *set, const struct ip *last, struct range_walk *ret_walk)
{
	*ret_walk = (struct range_walk){.set = set};
	for (unsigned i = 0; last && i < set->count; i++) {
		if (!in_span(&set->list[i].span, last))
			continue;
		ret_walk->last = *last;
		ret_walk->first = i;
	}
}

/* The part of the round that the walk is in: behind last to the end of its range,
 * the other ranges, then from the start of its range to last. NULL: the round is
 * over. *ret_span may be empty: first behind last. */
static const struct range *
part_of(const struct range_walk *walk, struct ip_range *ret_span)
{
	const struct range_set *set = walk->set;
	unsigned parts = set->count + (walk->last.family ? 1 : 0);

	if (walk->part >= parts)
		return NULL;
	const struct range *range = &set->list[(walk->first + walk->part) % set->count];
	*ret_span = range->span;
	if (walk->last.family && walk->part == 0 &&
	    !ip_add(&walk->last, 1, &ret_span->first))
		ret_span->last =
		    (struct ip){0}; /* last is the very last address: empty */
	if (walk->part == set->count)
		ret_span->last = walk->last;
	return range;
}

/* Moves behind ip, inside the part or to the next one. */
static void
step(struct range_walk *walk, const struct ip_range *span, const struct ip *ip)
{
	if (ip_compare(ip, &span->last) < 0 && ip_add(ip, 1, &walk->cursor))
		return;
	walk->cursor = (struct ip){0};
	walk->part++;
}

static bool
is_offered(const struct range *range, const struct cidr *candidate)
{
	char reason[96];

	return !ip_equal(&candidate->ip, &range->gateway) &&
	       !cidr_unusable(candidate, reason);
}

bool
range_walk_next(struct range_walk *walk, struct cidr *ret_candidate)
{
	struct ip_range span;
	unsigned unusable = 0;

	for (const struct range *range; (range = part_of(walk, &span));) {
		struct cidr candidate = {
		    .ip = walk->cursor.family ? walk->cursor : span.first,
		    .length = range->subnet.length};
		if (ip_compare(&candidate.ip, &span.last) > 0) {
			step(walk, &span, &span.last);
			continue;
		}
		if (in_span(&walk->set->fixed, &candidate.ip)) {
			/* in one step: there may be 2^64 of them */
			step(walk, &span, &walk->set->fixed.last);
			continue;
		}
		bool offered = is_offered(range, &candidate);
		unusable = offered ? 0 : unusable + 1;
		if (unusable > UNUSABLE_RUN_MAX) {
			step(walk, &span, &span.last);
			unusable = 0;
			continue;
		}
		step(walk, &span, &candidate.ip);
		if (!offered)
			continue;
		*ret_candidate = candidate;
		return true;
	}
	return false;
}

const struct range *
range_set_find(const struct range_set *set, const struct ip *ip)
{
	for (unsigned i = 0; i < set->count; i++) {
		const struct range *range = &set->list[i];
		if (in_span(&range->span, ip) ||
		    (in_span(&set->fixed, ip) && cidr_contains(&range->subnet, ip)))
			return range;
	}
	return NULL;
}

void
range_set_print(const struct range_set *set, struct buf *out)
{
	char first[ADDRESS_TEXT_MAX];
	char last[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < set->count; i++)
		(void)buf_print(out, "%s%s-%s", i ? "," : "",
		    ip_print(&set->list[i].span.first, first),
		    ip_print(&set->list[i].span.last, last));
}
