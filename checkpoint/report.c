/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.c - a migration as a picture: its rounds over time, and the frozen time in parts
 *
 * One SVG, which stands alone or inside a page. Above: for each round what was sent (bars over the time it
 * took) and what became dirty meanwhile (a line), on one scale of bytes; the expected downtime beside its
 * limit. Below: the frozen time, cut into its parts. No script, no file beside it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/progress.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"

#define WIDTH  960
#define HEIGHT 560
#define LEFT   90
#define RIGHT  30
#define TOP    90
#define BOTTOM 330 /* of the upper plot */

static const char *const part_colours[FROZEN_MAX] = {
	"#5b8ff9", "#61ddaa", "#f6bd16", "#7262fd", "#f6903d", "#e8684a", "#9270ca",
};

int progress_check_report(const char *path, struct error *e)
{
	if (str_ends(path, ".json") || str_ends(path, ".svg") || str_ends(path, ".html"))
		return 0;
	return refuse(e, EINVAL, "report %s: the name must end in .json, .svg or .html", path);
}

/* Names in the picture are others' text. */
static void put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if ((unsigned char)*text >= ' ')
			fputc(*text, out);
	}
}

static void put_text(FILE *out, int x, int y, const char *anchor, const char *text)
{
	fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">", x, y, anchor);
	put_escaped(out, text);
	fputs("</text>\n", out);
}

static uint64_t total_us(const struct progress *p)
{
	uint64_t end = p->ended_ns > p->began_ns ? (uint64_t)(p->ended_ns - p->began_ns) / 1000 : 0;

	for (size_t i = 0; i < p->n_rounds; i++)
		if (p->rounds[i].started_us + p->rounds[i].duration_us > end)
			end = p->rounds[i].started_us + p->rounds[i].duration_us;
	return end ? end : 1;
}

static uint64_t largest(const struct progress *p)
{
	uint64_t most = 1;

	for (size_t i = 0; i < p->n_rounds; i++) {
		const struct progress_round *r = &p->rounds[i];
		if (r->bytes > most)
			most = r->bytes;
		if (r->pages_dirty * 4096 > most)
			most = r->pages_dirty * 4096;
	}
	return most;
}

static double x_of(uint64_t us, uint64_t all)
{
	return LEFT + (double)us * (WIDTH - LEFT - RIGHT) / (double)all;
}

static double y_of(uint64_t bytes, uint64_t most)
{
	return BOTTOM - (double)bytes * (BOTTOM - TOP) / (double)most;
}

static void put_axes(FILE *out, uint64_t all, uint64_t most)
{
	char buf[24];

	for (unsigned int i = 0; i <= 4; i++) {
		double y = y_of(most / 4 * i, most);
		fprintf(out, "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>\n", LEFT, y,
			WIDTH - RIGHT, y);
		put_text(out, LEFT - 8, (int)y + 4, "end", progress_bytes(most / 4 * i, buf));
		double x = x_of(all / 4 * i, all);
		put_text(out, (int)x, BOTTOM + 20, i == 4 ? "end" : "middle",
			 progress_time(all / 4 * i, buf));
	}
}

static void put_rounds(FILE *out, const struct progress *p, uint64_t all, uint64_t most)
{
	for (size_t i = 0; i < p->n_rounds; i++) {
		const struct progress_round *r = &p->rounds[i];
		double x = x_of(r->started_us, all), w = x_of(r->started_us + r->duration_us, all) - x;
		double y = y_of(r->bytes, most);
		char sent[24], dirty[24], down[24];
		fprintf(out,
			"<rect class=\"sent\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>"
			"round %zu: %s sent, %s dirty, downtime %s, %s</title></rect>\n",
			x, y, w > 1.5 ? w - 0.5 : 1.5, BOTTOM - y, i + 1, progress_bytes(r->bytes, sent),
			progress_bytes(r->pages_dirty * 4096, dirty),
			progress_time(r->expected_downtime_us, down), converge_names[r->verdict]);
	}
	fputs("<polyline class=\"dirty\" points=\"", out);
	for (size_t i = 0; i < p->n_rounds; i++) {
		const struct progress_round *r = &p->rounds[i];
		fprintf(out, "%.1f,%.1f ", x_of(r->started_us + r->duration_us, all),
			y_of(r->pages_dirty * 4096, most));
	}
	fputs("\"/>\n", out);
	for (size_t i = 0; i < p->n_rounds; i++) {
		const struct progress_round *r = &p->rounds[i];
		fprintf(out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
			x_of(r->started_us + r->duration_us, all), y_of(r->pages_dirty * 4096, most));
	}
}

/* The frozen time as a bar of its own scale, each part named below. */
static void put_frozen(FILE *out, const struct progress *p)
{
	uint64_t sum = 0, at = 0;
	char a[24], line[160];

	for (int i = 0; i < FROZEN_MAX; i++)
		sum += p->frozen_us[i];
	if (!sum) {
		put_text(out, LEFT, 400, "start", "The container was not stopped.");
		return;
	}
	snprintf(line, sizeof(line), "Stood still for %s",
		 progress_time(p->downtime_us ? p->downtime_us : sum, a));
	put_text(out, LEFT, 395, "start", line);
	for (int i = 0; i < FROZEN_MAX; i++) {
		double x = x_of(at, sum), w = x_of(at + p->frozen_us[i], sum) - x;
		fprintf(out, "<rect x=\"%.1f\" y=\"405\" width=\"%.1f\" height=\"36\" fill=\"%s\"/>\n", x, w,
			part_colours[i]);
		at += p->frozen_us[i];
		int column = LEFT + i % 4 * 210, row = 470 + i / 4 * 26;
		fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/>\n", column,
			row - 11, part_colours[i]);
		snprintf(line, sizeof(line), "%s %s", frozen_parts[i], progress_time(p->frozen_us[i], a));
		put_text(out, column + 18, row, "start", line);
	}
}

static void put_svg(FILE *out, const struct progress *p)
{
	uint64_t all = total_us(p), most = largest(p);
	char line[400], a[24], b[24], c[24];

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
		"font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n<style>.grid{stroke:#ddd}"
		".sent{fill:#9fc5f8;stroke:#3d78c8;stroke-width:.5}.dirty{fill:none;stroke:#d0021b;"
		"stroke-width:1.5}.dot{fill:#d0021b}</style>\n<rect width=\"100%%\" height=\"100%%\" "
		"fill=\"#fff\"/>\n",
		WIDTH, HEIGHT, WIDTH, HEIGHT);
	snprintf(line, sizeof(line), "%s to %s: %s in %s", p->container, p->destination, p->outcome,
		 progress_time(all, a));
	fputs("<g font-size=\"18\">", out);
	put_text(out, LEFT, 34, "start", line);
	fputs("</g>\n", out);
	snprintf(line, sizeof(line),
		 "%s on the wire, %zu rounds, expected downtime %s, limit %s, tracking %s",
		 progress_bytes(p->wire_out, a), p->n_rounds, progress_time(p->expected_downtime_us, b),
		 progress_time(p->downtime_limit_us, c), p->tracking);
	put_text(out, LEFT, 56, "start", line);
	fprintf(out, "<rect class=\"sent\" x=\"%d\" y=\"66\" width=\"12\" height=\"12\"/>\n", LEFT);
	put_text(out, LEFT + 18, 77, "start", "sent in a round");
	fprintf(out, "<circle class=\"dot\" cx=\"%d\" cy=\"72\" r=\"3\"/>\n", LEFT + 150);
	put_text(out, LEFT + 160, 77, "start", "dirty when it ended");
	put_axes(out, all, most);
	put_rounds(out, p, all, most);
	put_frozen(out, p);
	fputs("</svg>\n", out);
}

static void put_html(FILE *out, const struct progress *p)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Migration of ", out);
	put_escaped(out, p->container);
	fputs("</title></head><body style=\"margin:1em;font-family:sans-serif\">\n", out);
	put_svg(out, p);
	fputs("<table style=\"border-spacing:1em "
	      ".2em;text-align:right\"><tr><th>round<th>time<th>sent<th>dirty"
	      "<th>zero pages<th>unchanged<th>throughput<th>dirty rate<th>downtime<th>throttled<th>decision"
	      "</tr>\n",
	      out);
	for (size_t i = 0; i < p->n_rounds; i++) {
		const struct progress_round *r = &p->rounds[i];
		char t[24], s[24], d[24], v[24], w[24], x[24];
		fprintf(out,
			"<tr><td>%zu<td>%s<td>%s<td>%s<td>%llu<td>%llu<td>%s/s<td>%s/s<td>%s<td>%u "
			"%%<td>%s</tr>\n",
			i + 1, progress_time(r->duration_us, t), progress_bytes(r->bytes, s),
			progress_bytes(r->pages_dirty * 4096, d), (unsigned long long)r->pages_zero,
			(unsigned long long)r->pages_same, progress_bytes(r->throughput, v),
			progress_bytes(r->dirty_rate, w), progress_time(r->expected_downtime_us, x),
			r->throttle, converge_names[r->verdict]);
	}
	fputs("</table></body></html>\n", out);
}

int progress_report(const struct progress *p, const char *path, struct error *e)
{
	auto_free char *text = NULL;
	size_t size = 0;

	int r = progress_check_report(path, e);
	if (r < 0)
		return r;
	if (str_ends(path, ".json")) {
		text = progress_json(p, true);
		size = text ? strlen(text) : 0;
	} else {
		FILE *out = open_memstream(&text, &size);
		if (!out)
			return fail(e, errno, "report %s", path);
		(str_ends(path, ".svg") ? put_svg : put_html)(out, p);
		fclose(out);
	}
	if (!text)
		return fail(e, ENOMEM, "report %s", path);
	return io_replace_file(AT_FDCWD, path, text, size, 0644, e);
}
