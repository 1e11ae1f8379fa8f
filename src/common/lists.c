/* SPDX-License-Identifier: ISC */
/* Growing lists. Filled while a configuration is read, by one thread; then only asked. */
#include "config.h"
#include "lists.h"

#include <stdlib.h>
#include <string.h>

/* Room for one more element of that size. Returns the list, or NULL: it is unchanged. */
static void *
grow(void *list, size_t n, size_t size)
{
	return realloc(list, (n + 1) * size);
}

int
cidrs_add(struct cidrs *cidrs, const struct cidr *cidr)
{
	struct cidr *list = grow(cidrs->list, cidrs->n, sizeof(*list));

	if (!list)
		return -1;
	list[cidrs->n++] = *cidr;
	cidrs->list = list;
	return 0;
}

int
ports_add(struct ports *ports, const struct port_range *range)
{
	struct port_range *list = grow(ports->list, ports->n, sizeof(*list));

	if (!list)
		return -1;
	list[ports->n++] = *range;
	ports->list = list;
	return 0;
}

int
words_add(struct words *words, const char *word)
{
	char **list = grow(words->list, words->n, sizeof(*list));

	if (!list)
		return -1;
	words->list = list;
	list[words->n] = strdup(word);
	if (!list[words->n])
		return -1;
	words->n++;
	return 0;
}

bool
cidrs_hold(const struct cidrs *cidrs, const struct addr *addr)
{
	for (size_t i = 0; i < cidrs->n; i++)
		if (cidr_holds(&cidrs->list[i], addr))
			return true;
	return false;
}

bool
ports_hold(const struct ports *ports, uint16_t port)
{
	for (size_t i = 0; i < ports->n; i++)
		if (port >= ports->list[i].first && port <= ports->list[i].last)
			return true;
	return false;
}

void
cidrs_free(struct cidrs *cidrs)
{
	free(cidrs->list);
	*cidrs = (struct cidrs){ NULL, 0 };
}

void
ports_free(struct ports *ports)
{
	free(ports->list);
	*ports = (struct ports){ NULL, 0 };
}

void
words_free(struct words *words)
{
	for (size_t i = 0; i < words->n; i++)
		free(words->list[i]);
	free(words->list);
	*words = (struct words){ NULL, 0 };
}

/* The i-th value of a setting as a string, or NULL: an error has been told. */
static const char *
word_of(struct conf *conf, config_setting_t *setting, int i, config_setting_t **element)
{
	const char *text;

	*element = conf_element(setting, i);
	text = config_setting_get_string(*element);
	if (!text)
		conf_error_type(conf, *element, "a string");
	else if (*text == '\0')
		conf_error(conf, *element, "'%s': it must not be empty",
			conf_name(*element));
	return text && *text ? text : NULL;
}

/* An empty list would mean everything: it is an oversight. */
static int
count(struct conf *conf, config_setting_t *setting)
{
	int n = conf_count(setting);

	if (n == 0)
		conf_error(conf, setting, "'%s': at least one value is wanted",
			conf_name(setting));
	return n;
}

void
conf_read_cidrs(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	int n = count(conf, setting);

	(void)key;
	for (int i = 0; i < n; i++) {
		config_setting_t *at;
		const char *text = word_of(conf, setting, i, &at), *why;
		struct cidr cidr;

		if (!text)
			continue;
		if (cidr_parse(&cidr, text, &why) == -1)
			conf_error(conf, at, "'%s': %s: %s", conf_name(at), text, why);
		else if (cidrs_add(into, &cidr) == -1)
			conf_error(conf, at, "out of memory");
	}
}

void
conf_read_ports(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	int n = count(conf, setting);

	(void)key;
	for (int i = 0; i < n; i++) {
		config_setting_t *at = conf_element(setting, i);
		char buf[8];
		const char *text = conf_port_text(conf, at, buf), *why;
		struct port_range range;

		if (!text)
			continue;
		if (port_range_parse(&range, text, &why) == -1)
			conf_error(conf, at, "'%s': %s: %s", conf_name(at), text, why);
		else if (ports_add(into, &range) == -1)
			conf_error(conf, at, "out of memory");
	}
}

void
conf_read_words(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	int n = count(conf, setting);

	(void)key;
	for (int i = 0; i < n; i++) {
		config_setting_t *at;
		const char *text = word_of(conf, setting, i, &at);

		if (text && words_add(into, text) == -1)
			conf_error(conf, at, "out of memory");
	}
}
