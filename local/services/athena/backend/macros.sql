-- Trino's functions that DuckDB lacks or implements differently.
-- fail() casts its message to BOOLEAN: unlike error(), TRY can catch that. Include the value, or
-- DuckDB constant-folds the failing expression at plan time.

CREATE SCHEMA trino;

CREATE MACRO trino.fail(message, x) AS
    CASE WHEN CAST(message || left(CAST(x AS VARCHAR), 0) AS BOOLEAN) THEN NULL END;

-- Casts of strings: Trino rejects underscores in a number, and spaces around a decimal.
CREATE MACRO trino.is_whole(x) AS regexp_full_match(x, '\s*[+-]?[0-9]+\s*');
CREATE MACRO trino.is_number(x) AS
    regexp_full_match(x, '[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?');
CREATE MACRO trino.is_float(x) AS
    trino.is_number(trim(x)) OR regexp_full_match(x, 'NaN|[+-]?Infinity');
CREATE MACRO trino.is_boolean(x) AS regexp_full_match(x, '(?i)true|t|1|false|f|0');
CREATE MACRO trino.is_date(x) AS regexp_full_match(x, '[0-9]{4,5}-[0-9]{1,2}-[0-9]{1,2}');
CREATE MACRO trino.is_timestamp(x) AS regexp_full_match(
    x, '[0-9]{4,5}-[0-9]{1,2}-[0-9]{1,2}'
        || '( ([01]?[0-9]|2[0-3]):[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]{1,12})?)?)?');
CREATE MACRO trino.without_zone(x) AS regexp_replace(
    x, '^(.*:.*?) ?(UTC|Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)$', '\1');
CREATE MACRO trino.is_timestamptz(x) AS CASE
    WHEN regexp_matches(x, ':.*([+-]1[0-9]:?[0-9]{2}|[+-]0[1-9]:?[0-9]{2}|[+-]00:?[0-9]*[1-9])$')
    THEN trino.fail(
        'NOT_SUPPORTED: time zones other than UTC are not modelled by the laptop cloud: ' || x, x)
    ELSE trino.is_timestamp(regexp_replace(x, ' ?(UTC|Z|[+-][0-9]{2}:?[0-9]{2})$', '')) END;
CREATE MACRO trino.require_castable(x, is_castable, type_name) AS CASE
    WHEN x IS NULL OR is_castable THEN x
    ELSE trino.fail('INVALID_CAST_ARGUMENT: Cannot cast ''' || x || ''' to ' || type_name, x) END;
CREATE MACRO trino.require_length(x, n) AS CASE
    WHEN length(x) > n THEN trino.fail(
        'INVALID_CAST_ARGUMENT: Value ' || x || ' cannot be represented as varchar(' || n || ')', x)
    ELSE x END;
CREATE MACRO trino.round_to_millis(x) AS CAST(CAST(x AS TIMESTAMP_MS) AS TIMESTAMP);
CREATE MACRO trino.round_zoned_to_millis(x) AS
    CAST(trino.round_to_millis(x AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS TIMESTAMPTZ);

-- Numbers. Decimals are divided as integers of their unscaled digits.
CREATE MACRO trino.nan() AS CAST('NaN' AS DOUBLE);
CREATE MACRO trino.infinity() AS CAST('Infinity' AS DOUBLE);
CREATE MACRO trino.to_real(x) AS CASE WHEN abs(x) > 3.4028235677973366e38
    THEN CAST(sign(x) * trino.infinity() AS REAL) ELSE CAST(x AS REAL) END;
CREATE MACRO trino.has_nan(x, y) AS x IS NOT NULL AND y IS NOT NULL AND (isnan(x) OR isnan(y));
CREATE MACRO trino.sqrt(x) AS CASE WHEN x < 0 THEN trino.nan() ELSE sqrt(x) END;
CREATE MACRO trino.log_result(x, log) AS CASE
    WHEN x = 0 THEN -trino.infinity() WHEN x < 0 THEN trino.nan() ELSE log END;
CREATE MACRO trino.ln(x) AS trino.log_result(x, ln(CASE WHEN x > 0 THEN x END));
CREATE MACRO trino.log2(x) AS trino.log_result(x, log2(CASE WHEN x > 0 THEN x END));
CREATE MACRO trino.log10(x) AS trino.log_result(x, log10(CASE WHEN x > 0 THEN x END));
CREATE MACRO trino.sign(x) AS
    CASE WHEN isnan(CAST(x AS DOUBLE)) THEN CAST(x AS DOUBLE) ELSE sign(x) END;
CREATE MACRO trino.e() AS exp(1);
CREATE MACRO trino.asin(x) AS CASE WHEN abs(CAST(x AS DOUBLE)) > 1 THEN trino.nan() ELSE asin(x) END;
CREATE MACRO trino.acos(x) AS CASE WHEN abs(CAST(x AS DOUBLE)) > 1 THEN trino.nan() ELSE acos(x) END;
CREATE MACRO trino.skewness(sample_skewness, n) AS
    CASE WHEN n > 2 THEN sample_skewness * (n - 2) / sqrt(CAST(n AS DOUBLE) * (n - 1)) END;
CREATE MACRO trino.bitwise_and(x, y) AS CAST(x AS BIGINT) & CAST(y AS BIGINT);
CREATE MACRO trino.bitwise_or(x, y) AS CAST(x AS BIGINT) | CAST(y AS BIGINT);
CREATE MACRO trino.bitwise_xor(x, y) AS xor(CAST(x AS BIGINT), CAST(y AS BIGINT));
CREATE MACRO trino.bitwise_not(x) AS ~CAST(x AS BIGINT);
CREATE MACRO trino.power_of_two(n) AS CAST(pow(2, n) AS HUGEINT);
CREATE MACRO trino.low_bits(x, bits) AS
    (x % trino.power_of_two(bits) + trino.power_of_two(bits)) % trino.power_of_two(bits);
CREATE MACRO trino.signed(x, bits) AS
    CASE WHEN x >= trino.power_of_two(bits - 1) THEN x - trino.power_of_two(bits) ELSE x END;
-- As in Java, the distance of a shift is its lowest six bits.
CREATE MACRO trino.bitwise_left_shift(x, n, bits) AS CASE WHEN n >= bits THEN 0 ELSE trino.signed(
    trino.low_bits(CAST(x AS HUGEINT) * trino.power_of_two(n & 63), bits), bits) END;
CREATE MACRO trino.bitwise_right_shift(x, n, bits) AS CASE WHEN n >= bits THEN 0 ELSE trino.signed(
    trino.low_bits(x, bits) // trino.power_of_two(n & 63), bits) END;
CREATE MACRO trino.bitwise_right_shift_arithmetic(x, n, bits) AS
    CAST(x AS BIGINT) >> (CASE WHEN n >= bits THEN 63 ELSE n & 63 END);
CREATE MACRO trino.require_radix(n) AS CASE WHEN n < 2 OR n > 36 THEN trino.fail(
    'INVALID_FUNCTION_ARGUMENT: Radix must be between 2 and 36', n) ELSE CAST(n AS INTEGER) END;
CREATE MACRO trino.to_base(x, n) AS CASE WHEN x < 0 THEN '-' ELSE '' END
    || lower(to_base(abs(CAST(x AS BIGINT)), trino.require_radix(n)));
CREATE MACRO trino.digit_values(x) AS list_transform(string_split(lower(x), ''),
    lambda digit: strpos('0123456789abcdefghijklmnopqrstuvwxyz', digit) - 1);
CREATE MACRO trino.from_base(x, n) AS CASE
    WHEN NOT regexp_full_match(x, '-?[0-9A-Za-z]+')
        OR list_max(trino.digit_values(ltrim(x, '-'))) >= trino.require_radix(n)
    THEN trino.fail('INVALID_FUNCTION_ARGUMENT: Not a valid base-' || n || ' number: ' || x, x)
    ELSE CAST(CASE WHEN x LIKE '-%' THEN -1 ELSE 1 END * list_reduce(
        list_transform(trino.digit_values(ltrim(x, '-')), lambda digit: CAST(digit AS HUGEINT)),
        lambda number, digit: number * n + digit) AS BIGINT) END;
-- Java rounds half up what the double has exactly: eighths are the only halves of a digit.
CREATE MACRO trino.rounded_text(x, scale) AS rtrim(rtrim(printf('%.' || scale || 'f',
    CASE WHEN x * 8 = floor(x * 8) THEN x + sign(x) * 1e-4 ELSE x END), '0'), '.');
CREATE MACRO trino.short_number(x) AS CASE WHEN x < 10 THEN trino.rounded_text(x, 2)
    WHEN x < 100 THEN trino.rounded_text(x, 1)
    ELSE printf('%.0f', CASE WHEN x * 8 = floor(x * 8) THEN x + 1e-4 ELSE x END) END;
CREATE MACRO trino.format_number(x) AS list_transform([CASE WHEN isnan(CAST(x AS DOUBLE)) THEN 0
        WHEN x IS NOT NULL THEN greatest(least(trunc(CAST(x AS DOUBLE)), 9223372036854775807), -9223372036854775808)
        END],
    lambda n: CASE WHEN abs(n) >= 1e15 THEN trino.short_number(n / 1e3 / 1e3 / 1e3 / 1e3 / 1e3) || 'Q'
        WHEN abs(n) >= 1e12 THEN trino.short_number(n / 1e3 / 1e3 / 1e3 / 1e3) || 'T'
        WHEN abs(n) >= 1e9 THEN trino.short_number(n / 1e3 / 1e3 / 1e3) || 'B'
        WHEN abs(n) >= 1e6 THEN trino.short_number(n / 1e3 / 1e3) || 'M'
        WHEN abs(n) >= 1e3 THEN trino.short_number(n / 1e3) || 'K'
        ELSE trino.short_number(n) END)[1];
CREATE MACRO trino.nan_as_least(x) AS
    CASE WHEN isnan(x) THEN CAST('-Infinity' AS DOUBLE) ELSE x END;
CREATE MACRO trino.require_count(n) AS CASE WHEN n < 1 OR n > 10000 THEN trino.fail(
    'INVALID_FUNCTION_ARGUMENT: the number of values must be from 1 to 10000', n) ELSE n END;
CREATE MACRO trino.random() AS random(), (n) AS CAST(floor(random() * n) AS BIGINT);
CREATE MACRO trino.width_bucket(x, low, high, n) AS CAST(CASE
    WHEN isnan(CAST(x AS DOUBLE)) THEN trino.fail(
        'INVALID_FUNCTION_ARGUMENT: operand must not be NaN', x)
    WHEN x < low THEN 0 WHEN x >= high THEN n + 1
    ELSE floor(n * (x - low) / CAST(high - low AS DOUBLE)) + 1 END AS BIGINT);
CREATE MACRO trino.require_nonzero(x) AS CASE
    WHEN x = 0 THEN trino.fail('DIVISION_BY_ZERO: Division by zero', x) ELSE x END;
CREATE MACRO trino.unscaled_digits(x) AS CAST(replace(CAST(x AS VARCHAR), '.', '') AS HUGEINT);
CREATE MACRO trino.decimal_text(x, scale) AS
    CASE WHEN x < 0 THEN '-' ELSE '' END || left(lpad(CAST(abs(x) AS VARCHAR), 40, '0'), 40 - scale)
    || '.' || right(lpad(CAST(abs(x) AS VARCHAR), 40, '0'), scale);
CREATE MACRO trino.divide_half_up(x, y) AS
    CASE WHEN (x < 0) <> (y < 0) THEN -1 ELSE 1 END * ((2 * abs(x) + abs(y)) // (2 * abs(y)));
CREATE MACRO trino.quotient(x, y, shift, scale) AS CASE
    WHEN y = 0 THEN trino.fail('DIVISION_BY_ZERO: Division by zero', y)
    ELSE trino.decimal_text(trino.divide_half_up(
        trino.unscaled_digits(x) * CAST('1' || repeat('0', shift) AS HUGEINT),
        trino.unscaled_digits(y)), scale) END;
CREATE MACRO trino.decimal_mean(total, n, scale) AS trino.decimal_text(
    trino.divide_half_up(trino.unscaled_digits(total), nullif(CAST(n AS HUGEINT), 0)), scale);

-- Strings.
CREATE MACRO trino.upper(x) AS array_to_string(
    list_transform(string_split(x, 'ß'), lambda element: upper(element)), 'ß');
CREATE MACRO trino.replace(x, old) AS replace(x, old, ''), (x, old, new) AS CASE
    WHEN old = '' THEN new || array_to_string(
        list_transform(string_split(x, ''), lambda element: element || new), '')
    ELSE replace(x, old, new) END;
CREATE MACRO trino.whitespace() AS ' ' || array_to_string(list_transform(
    [9, 10, 11, 12, 13, 28, 29, 30, 31, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8200, 8201,
     8202, 8232, 8233, 8287, 12288], lambda codepoint: chr(codepoint)), '');
CREATE MACRO trino.trim(x) AS trim(x, trino.whitespace()), (x, characters) AS trim(x, characters);
CREATE MACRO trino.ltrim(x) AS ltrim(x, trino.whitespace()), (x, characters) AS
    ltrim(x, characters);
CREATE MACRO trino.rtrim(x) AS rtrim(x, trino.whitespace()), (x, characters) AS
    rtrim(x, characters);
CREATE MACRO trino.codepoint(x) AS CASE WHEN length(x) <> 1 THEN trino.fail(
    'INVALID_FUNCTION_ARGUMENT: Input string must be a single character string', x)
    ELSE unicode(x) END;
CREATE MACRO trino.substr(x, start) AS CASE
        WHEN start = 0 OR -start > length(x) THEN '' ELSE substr(x, start) END,
    (x, start, n) AS CASE
        WHEN start IS NULL THEN NULL
        WHEN start = 0 OR n <= 0 OR -start > length(x) THEN '' ELSE substr(x, start, n) END;
-- By code points, where DuckDB keeps a letter and its combining marks together.
CREATE MACRO trino.reverse(x) AS array_to_string(
    list_reverse(list_transform(range(1, length(x) + 1), lambda i: substring(x, i, 1))), '');
CREATE MACRO trino.require_padding(n, fill) AS CASE
    WHEN n < 0 OR n > 2147483647 THEN trino.fail(
        'INVALID_FUNCTION_ARGUMENT: Target length must be in the range [0..2147483647]', n)
    WHEN fill = '' THEN trino.fail(
        'INVALID_FUNCTION_ARGUMENT: Padding string must not be empty', fill)
    ELSE CAST(n AS INTEGER) END;
CREATE MACRO trino.lpad(x, n, fill) AS lpad(x, trino.require_padding(n, fill), fill);
CREATE MACRO trino.rpad(x, n, fill) AS rpad(x, trino.require_padding(n, fill), fill);
CREATE MACRO trino.pad_left(x, width, fill) AS
    lpad(x, CAST(greatest(width, length(x)) AS INTEGER), fill);
CREATE MACRO trino.pad_right(x, width, fill) AS
    rpad(x, CAST(greatest(width, length(x)) AS INTEGER), fill);
CREATE MACRO trino.split(x, separator) AS CASE
    WHEN separator = '' THEN trino.fail(
        'INVALID_FUNCTION_ARGUMENT: The delimiter may not be the empty string', separator)
    WHEN separator IS NULL THEN NULL ELSE string_split(x, separator) END;
CREATE MACRO trino.split_part(x, separator, n) AS CASE
    WHEN x IS NULL THEN NULL WHEN n <= 0 THEN trino.fail(
        'INVALID_FUNCTION_ARGUMENT: Index must be greater than zero', n) ELSE
    list_extract(string_split(x, separator), CAST(n AS BIGINT)) END;
CREATE MACRO trino.regexp_extract(x, pattern) AS
        CASE WHEN regexp_matches(x, pattern) THEN regexp_extract(x, pattern) END,
    (x, pattern, n) AS
        CASE WHEN regexp_matches(x, pattern) THEN regexp_extract(x, pattern, n) END;
CREATE MACRO trino.regexp_replace(x, pattern) AS regexp_replace(x, pattern, '', 'g'),
    (x, pattern, new) AS
        regexp_replace(x, pattern, regexp_replace(new, '\$([0-9])', '\\\1', 'g'), 'g');
CREATE MACRO trino.regexp_count(x, pattern) AS len(regexp_extract_all(x, pattern));
CREATE MACRO trino.regexp_split(x, pattern) AS
    CASE WHEN pattern IS NOT NULL THEN string_split_regex(x, pattern) END;
CREATE MACRO trino.url_encode(x) AS
    replace(replace(replace(url_encode(x), '%20', '+'), '%2A', '*'), '~', '%7E');
CREATE MACRO trino.url_decode(x) AS CASE
    WHEN regexp_full_match(x, '(?s)(?:[^%]|%[0-9A-Fa-f]{2})*')
    THEN url_decode(replace(x, '+', ' '))
    ELSE trino.fail('INVALID_FUNCTION_ARGUMENT: Illegal hex characters in escape (%) pattern', x)
    END;
CREATE MACRO trino.from_hex(x) AS CASE WHEN length(x) % 2 = 1 THEN trino.fail(
    'INVALID_FUNCTION_ARGUMENT: string is required to have even length', x) ELSE unhex(x) END;
CREATE MACRO trino.from_base64(x) AS
    from_base64(rpad(x, CAST(4 * ceil(length(x) / 4) AS INTEGER), '='));
-- A URL as RFC 3986 splits it; what is no URI has no parts.
CREATE MACRO trino.url_parts(x) AS regexp_extract(x,
    '^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://(?:[^/?#@\s]*@)?([^/?#:\s]*)(?::([0-9]*))?)?'
    || '([^?#\s]*)(?:\?([^#\s]*))?(?:#(\S*))?$',
    ['protocol', 'host', 'port', 'path', 'query', 'fragment']);
CREATE MACRO trino.is_url(x) AS x IS NOT NULL AND NOT regexp_matches(x, '\s');
CREATE MACRO trino.url_extract_fragment(x) AS
    CASE WHEN trino.is_url(x) THEN url_decode(trino.url_parts(x).fragment) END;
CREATE MACRO trino.url_extract_host(x) AS
    CASE WHEN trino.is_url(x) THEN trino.url_parts(x).host END;
CREATE MACRO trino.url_extract_path(x) AS
    CASE WHEN trino.is_url(x) THEN url_decode(trino.url_parts(x).path) END;
CREATE MACRO trino.url_extract_port(x) AS CASE WHEN trino.is_url(x)
    THEN CAST(nullif(trino.url_parts(x).port, '') AS BIGINT) END;
CREATE MACRO trino.url_extract_protocol(x) AS
    CASE WHEN trino.is_url(x) THEN trino.url_parts(x).protocol END;
CREATE MACRO trino.url_extract_query(x) AS
    CASE WHEN trino.is_url(x) THEN url_decode(trino.url_parts(x).query) END;
CREATE MACRO trino.url_extract_parameter(x, name) AS CASE WHEN trino.is_url(x) THEN
    url_decode(replace(list_filter(string_split(trino.url_parts(x).query, '&'),
        lambda part: starts_with(part, name || '='))[1][length(name) + 2:], '+', ' ')) END;
CREATE MACRO trino.sha1(x) AS unhex(sha1(x));
CREATE MACRO trino.md5(x) AS unhex(md5(x));
CREATE MACRO trino.sha256(x) AS unhex(sha256(x));

-- Dates and timestamps.
CREATE MACRO trino.millisecond(x) AS millisecond(x) % 1000;
CREATE MACRO trino.date_parse(x, pattern) AS CASE
    WHEN x IS NULL OR try_strptime(x, pattern) IS NOT NULL
    THEN trino.round_to_millis(try_strptime(x, pattern))
    ELSE trino.fail('INVALID_FUNCTION_ARGUMENT: Invalid format: "' || x || '"', x) END;
-- ISO 8601 as Joda parses it: a day of a month, a year or a week; missing parts on the right get
-- defaults, and fractions are truncated to milliseconds. The pattern rejects as much as it can,
-- because DuckDB expands a macro at each use and plans the expansion each time.
CREATE MACRO trino.iso_parts(x) AS regexp_extract(x,
    '(?i)^(?:([0-9]{1,4})'
    || '(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?|-([0-9]{3})|-W([0-9]{1,2})(?:-([1-7]))?)?)?'
    || '(?:T(?:([01]?[0-9]|2[0-3])(?::([0-5]?[0-9])(?::([0-5]?[0-9]))?)?(?:[.,]([0-9]{0,9}))?)?'
    || '(?:Z|([+-](?:(?:0[0-9]|1[0-3])(?::?[0-5][0-9])?|14(?::?00)?)))?)?$',
    ['year', 'month', 'day', 'yearday', 'week', 'weekday', 'hour', 'minute', 'second', 'fraction',
     'zone']);
CREATE MACRO trino.bigint_or_default(digits, default_digits) AS
    CAST(coalesce(nullif(digits, ''), default_digits) AS BIGINT);
CREATE MACRO trino.null_unless_within(n, high) AS CASE WHEN n BETWEEN 1 AND high THEN n END;
CREATE MACRO trino.day_of_year(year, n) AS make_date(year, 1, 1)
    + CAST(trino.null_unless_within(n, dayofyear(make_date(year, 12, 31))) - 1 AS INTEGER);
CREATE MACRO trino.day_of_week(year, week, n) AS
    CAST(date_trunc('week', make_date(year, 1, 4)) AS DATE) + CAST(
        7 * trino.null_unless_within(week, weekofyear(make_date(year, 12, 28))) + n - 8 AS INTEGER);
CREATE MACRO trino.iso_day(p) AS CASE
    WHEN p.week <> '' THEN trino.day_of_week(
        CAST(p.year AS BIGINT), CAST(p.week AS BIGINT), trino.bigint_or_default(p.weekday, '1'))
    WHEN p.yearday <> ''
    THEN trino.day_of_year(CAST(p.year AS BIGINT), CAST(p.yearday AS BIGINT))
    ELSE TRY_CAST(printf('%04d-%02d-%02d',
        trino.bigint_or_default(p.year, '1970'), trino.bigint_or_default(p.month, '1'),
        trino.bigint_or_default(p.day, '1')) AS DATE) END;
CREATE MACRO trino.iso_milliseconds(p) AS 3600000 * trino.bigint_or_default(p.hour, '0')
    + 60000 * trino.bigint_or_default(p.minute, '0') + 1000 * trino.bigint_or_default(p.second, '0')
    + CASE WHEN p.minute = '' THEN 3600000 WHEN p.second = '' THEN 60000 ELSE 1000 END
      * CAST(rpad(p.fraction, 9, '0') AS BIGINT) // 1000000000;
CREATE MACRO trino.zone_minutes(zone) AS CASE WHEN zone <> '' THEN
    CAST(zone[1:1] || '1' AS BIGINT) * (60 * CAST(zone[2:3] AS BIGINT)
        + trino.bigint_or_default(ltrim(zone[4:], ':'), '0')) ELSE 0 END;
CREATE MACRO trino.iso_timestamp(p) AS CASE WHEN p.year || p.hour <> '' THEN
    (CAST(trino.iso_day(p) AS TIMESTAMP) + to_milliseconds(trino.iso_milliseconds(p))
     - to_minutes(trino.zone_minutes(p.zone))) AT TIME ZONE 'UTC' END;
CREATE MACRO trino.require_parsed(x, value) AS coalesce(value, CASE WHEN x IS NOT NULL
    THEN trino.fail('INVALID_FUNCTION_ARGUMENT: Invalid format: "' || x || '"', x) END);
CREATE MACRO trino.iso_instant(x) AS trino.require_parsed(
    x, list_transform([trino.iso_parts(x)], lambda p: trino.iso_timestamp(p))[1]);
CREATE MACRO trino.clock_hour(x) AS (hour(x) + 11) % 12 + 1;
CREATE MACRO trino.hour_text(p) AS CASE WHEN p.clock_hour <> ''
    THEN CAST(CAST(p.clock_hour AS BIGINT) % 12 + CASE WHEN p.half ILIKE 'pm' THEN 12 ELSE 0 END
        AS VARCHAR) ELSE p.hour END;
CREATE MACRO trino.month_text(p) AS CASE WHEN p.month_name <> '' THEN CAST(list_position(
        ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
        lower(left(p.month_name, 3))) AS VARCHAR) ELSE p.month END;
CREATE MACRO trino.parse_datetime(x, pattern, fields) AS trino.require_parsed(x, list_transform(
    list_transform([regexp_extract(x, pattern, fields)], lambda p: struct_pack(
        year := p.year, month := trino.month_text(p), day := p.day, yearday := '', week := '',
        weekday := '', hour := trino.hour_text(p), minute := p.minute, second := p.second,
        fraction := p.fraction, zone := '')), lambda p: trino.iso_timestamp(p))[1]);
CREATE MACRO trino.require_utc_text(x) AS CASE
    WHEN trino.zone_minutes(trino.iso_parts(x).zone) <> 0 THEN trino.fail(
        'NOT_SUPPORTED: time zones other than UTC are not modelled by the laptop cloud: ' || x
        || ': convert it with AT TIME ZONE ''UTC''', x)
    ELSE true END;
CREATE MACRO trino.from_iso8601_timestamp(x) AS
    CASE WHEN trino.require_utc_text(x) THEN trino.iso_instant(x) END;
CREATE MACRO trino.from_iso8601_date(x) AS trino.require_parsed(x, CASE
    WHEN x NOT ILIKE '%T%' AND trino.iso_parts(x).year <> ''
    THEN trino.iso_day(trino.iso_parts(x)) END);
CREATE MACRO trino.to_iso8601(x) AS CASE
    WHEN typeof(x) = 'DATE' THEN CAST(CAST(x AS DATE) AS VARCHAR)
    ELSE strftime(x, '%Y-%m-%dT%H:%M:%S.%g')
         || CASE WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE' THEN 'Z' ELSE '' END END;
CREATE MACRO trino.require_utc(zone) AS CASE
    WHEN zone IN ('UTC', 'Z', '+00:00', 'Etc/UTC', 'GMT') THEN true
    ELSE trino.fail(
        'NOT_SUPPORTED: time zones other than UTC are not modelled by the laptop cloud: '
        || zone, zone) END;
CREATE MACRO trino.require_zone_name(zone) AS CASE
    WHEN zone IN ('UTC', 'GMT') OR regexp_full_match(zone, '[A-Z][A-Za-z]+/[A-Z].*')
    THEN zone IS NOT NULL ELSE trino.fail(
        'NOT_SUPPORTED: time zones without a name such as Europe/Berlin are not modelled by the laptop '
        || 'cloud: ' || zone, zone) END;
CREATE MACRO trino.local_time(x, zone) AS
    CASE WHEN trino.require_zone_name(zone) THEN timezone(zone, CAST(x AS TIMESTAMPTZ)) END;
CREATE MACRO trino.at_timezone(x, zone) AS
    CASE WHEN trino.require_utc(zone) THEN CAST(x AS TIMESTAMPTZ) END;
CREATE MACRO trino.require_timestamp_range(x) AS CASE
    WHEN isnan(CAST(x AS DOUBLE)) THEN true WHEN abs(CAST(x AS DOUBLE)) >= 2251799813685.248 THEN trino.fail(
        'GENERIC_INTERNAL_ERROR: Millis overflow: ' || CAST(CAST(x AS DOUBLE) * 1000 AS HUGEINT), x)
    ELSE true END;
CREATE MACRO trino.zero_if_nan(x) AS
    CASE WHEN isnan(CAST(x AS DOUBLE)) THEN 0 ELSE CAST(x AS DOUBLE) END;
CREATE MACRO trino.from_unixtime(x) AS CASE WHEN trino.require_timestamp_range(x)
        THEN trino.round_zoned_to_millis(to_timestamp(trino.zero_if_nan(x))) END,
    (x, zone) AS CASE WHEN trino.require_timestamp_range(x) THEN trino.at_timezone(
        trino.round_zoned_to_millis(to_timestamp(trino.zero_if_nan(x))), zone) END;
CREATE MACRO trino.require_whole_day(x) AS CASE
    WHEN x <> date_trunc('day', x) THEN trino.fail(
        'INVALID_FUNCTION_ARGUMENT: Cannot add hour, minutes or seconds to a date', x)
    ELSE CAST(x AS DATE) END;
CREATE MACRO trino.current_timezone() AS 'UTC';

-- JSON. DuckDB would reformat the numbers in a JSON string: they are quoted to keep their digits.
CREATE MACRO trino.json_without_strings(x) AS regexp_replace(x, '"(?:[^"\\]|\\.)*"', '""', 'g');
CREATE MACRO trino.may_be_lax_json(x) AS regexp_matches(x, ',\s*[\]}]|(?i:nan|inf)');
CREATE MACRO trino.is_strict_json(x) AS CASE WHEN trino.may_be_lax_json(x)
    THEN json_valid(x) AND NOT trino.may_be_lax_json(trino.json_without_strings(x))
    ELSE json_valid(x) END;
CREATE MACRO trino.json_parse(x) AS CASE WHEN x IS NULL OR trino.is_strict_json(x)
    THEN CAST(json(x) AS JSON)
    ELSE trino.fail('INVALID_FUNCTION_ARGUMENT: Cannot convert value to JSON: ''' || x || '''', x)
    END;
CREATE MACRO trino.quote_json_numbers(x) AS CASE WHEN regexp_matches(x, '[0-9][.eE]')
    THEN regexp_replace(regexp_replace(x,
        '("(?:[^"\\]|\\.)*")|(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)', '\1"\2"', 'g'),
        '("(?:[^"\\]|\\.)*")(?:"")?', '\1', 'g')
    ELSE x END;
CREATE MACRO trino.json_text(x) AS CASE WHEN json_type(x) IN ('OBJECT', 'ARRAY')
    THEN trino.fail('INVALID_CAST_ARGUMENT: Cannot cast to varchar: ' || x, x)
    WHEN json_type(x) = 'DOUBLE' THEN trino.double_varchar(CAST(x AS DOUBLE))
    ELSE json_extract_string(x, '$') END;
CREATE MACRO trino.json_format(x) AS CAST(x AS VARCHAR);
CREATE MACRO trino.is_json(x) AS typeof(x) = 'JSON' OR json_valid(x);
CREATE MACRO trino.json_extract(x, path) AS CASE
    WHEN trino.is_json(x) THEN json_extract(x, path) END;
CREATE MACRO trino.json_extract_scalar(x, path) AS CASE
    WHEN trino.is_json(x) THEN CASE
        WHEN json_type(x, path) NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(x, path)
        END END;
CREATE MACRO trino.json_array_length(x) AS CASE
    WHEN trino.is_json(x) THEN CASE
        WHEN json_type(x) = 'ARRAY' THEN CAST(json_array_length(x) AS BIGINT) END END;
CREATE MACRO trino.json_size(x, path) AS CASE
    WHEN trino.is_json(x) AND json_type(x, path) IS NOT NULL
    THEN CAST(CASE json_type(x, path)
        WHEN 'ARRAY' THEN json_array_length(x, path)
        WHEN 'OBJECT' THEN len(json_keys(x, path)) ELSE 0 END AS BIGINT) END;
CREATE MACRO trino.is_json_scalar(x) AS json_type(x) NOT IN ('OBJECT', 'ARRAY');
-- The items of a path of SQL/JSON; an empty text has none, and what is no JSON no list of them.
CREATE MACRO trino.json_items(x) AS CASE WHEN trim(x) = '' THEN CAST([] AS JSON[])
    WHEN trino.is_strict_json(x) THEN [CAST(json(x) AS JSON)] END;
CREATE MACRO trino.json_elements(items) AS flatten(list_transform(items, lambda item:
    CASE WHEN json_type(item) = 'ARRAY' THEN json_extract(item, '$[*]') ELSE [item] END));
CREATE MACRO trino.json_members(items) AS flatten(list_transform(
    list_filter(trino.json_elements(items), lambda item: json_type(item) = 'OBJECT'),
    lambda item: json_extract(item, '$.*')));
CREATE MACRO trino.present(items) AS list_filter(items, lambda item: item IS NOT NULL);
CREATE MACRO trino.json_member(items, path) AS trino.present(
    list_transform(trino.json_elements(items), lambda item: json_extract(item, path)));
CREATE MACRO trino.json_element(items, i) AS trino.present(list_transform(items, lambda item: CASE
    WHEN json_type(item) = 'ARRAY' THEN json_extract(item, '$[' || i || ']')
    WHEN i = 0 THEN item END));
CREATE MACRO trino.json_strict(items, path) AS CASE
    WHEN json_extract(items[1], path) IS NOT NULL THEN [json_extract(items[1], path)] END;
CREATE MACRO trino.json_exists(x, count, on_error) AS
    CASE WHEN x IS NOT NULL THEN coalesce(count > 0, on_error) END;
CREATE MACRO trino.json_array_text(texts) AS '[' || coalesce(array_to_string(
    list_transform(texts, lambda text: coalesce(text, 'null')), ','), '') || ']';
CREATE MACRO trino.json_query_text(items, wrapper) AS CASE
    WHEN items IS NULL THEN NULL WHEN wrapper = 'UNCONDITIONAL' OR wrapper = 'CONDITIONAL'
        AND (len(items) > 1 OR trino.is_json_scalar(items[1]))
    THEN trino.json_array_text(list_transform(items, lambda item: CAST(item AS VARCHAR)))
    WHEN len(items) > 1 THEN NULL
    WHEN wrapper = 'OMIT QUOTES' AND json_type(items[1]) = 'VARCHAR'
    THEN json_extract_string(items[1], '$') ELSE CAST(items[1] AS VARCHAR) END;

-- Arrays and maps.
CREATE MACRO trino.cardinality(x) AS CAST(len(x) AS BIGINT);
CREATE MACRO trino.has_null(x) AS len(list_filter(x, lambda element: element IS NULL)) > 0;
-- A result is NULL if an argument is: DuckDB's functions of lists often ignore a NULL.
CREATE MACRO trino.contains(x, y) AS CASE
    WHEN list_contains(x, y) THEN true WHEN y IS NULL OR trino.has_null(x) THEN NULL
    ELSE list_contains(x, y) END;
CREATE MACRO trino.arrays_overlap(x, y) AS CASE
    WHEN list_has_any(x, y) THEN true WHEN len(x) = 0 OR len(y) = 0 THEN false WHEN trino.has_null(x) OR trino.has_null(y) THEN NULL
    ELSE list_has_any(x, y) END;
CREATE MACRO trino.array_max(x) AS CASE WHEN NOT trino.has_null(x) THEN list_max(x) END;
CREATE MACRO trino.double_array_max(x) AS CASE WHEN NOT trino.has_null(x)
    THEN coalesce(list_max(list_filter(x, lambda element: NOT isnan(element))), list_max(x)) END;
CREATE MACRO trino.array_min(x) AS CASE WHEN NOT trino.has_null(x) THEN list_min(x) END;
CREATE MACRO trino.array_distinct(x) AS list_filter(x, lambda element, idx:
    element IS NOT NULL AND list_position(x, element) = idx
    OR element IS NULL AND NOT trino.has_null(x[1:idx - 1]));
CREATE MACRO trino.array_element(x, n) AS CASE
    WHEN n = 0 THEN trino.fail('INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1', n)
    ELSE list_extract(x, n) END;
CREATE MACRO trino.map() AS map([], []), (keys, values) AS CASE
    WHEN keys IS NULL OR values IS NULL THEN NULL
    WHEN trino.has_null(keys) THEN trino.fail(
        'INVALID_FUNCTION_ARGUMENT: map key cannot be null', len(keys))
    ELSE map(keys, values) END;
CREATE MACRO trino.zip(x, y) AS CASE WHEN x IS NOT NULL AND y IS NOT NULL
    THEN list_zip(x, y) END;
CREATE MACRO trino.map_from_entries(entries) AS map_from_entries(entries);
-- Of the entries that an aggregate has gathered, the first one of a key counts.
CREATE MACRO trino.with_key(entries) AS
    list_filter(entries, lambda entry: entry.key IS NOT NULL);
CREATE MACRO trino.first_of_each_key(entries) AS list_filter(entries, lambda entry, i:
    list_position(list_transform(entries, lambda other: other.key), entry.key) = i);
CREATE MACRO trino.map_agg(entries) AS CASE WHEN len(trino.with_key(entries)) > 0
    THEN map_from_entries(trino.first_of_each_key(trino.with_key(entries))) END;
CREATE MACRO trino.map_union(maps) AS map_from_entries(trino.first_of_each_key(
    flatten(list_transform(maps, lambda one: map_entries(one)))));
CREATE MACRO trino.multimap_agg(entries) AS CASE WHEN len(trino.with_key(entries)) > 0
    THEN map_from_entries(list_transform(
        trino.first_of_each_key(trino.with_key(entries)), lambda one: struct_pack(key := one.key,
            value := list_transform(list_filter(entries, lambda other: other.key = one.key),
                lambda other: other.value)))) END;
CREATE MACRO trino.map_entries(x) AS
    list_transform(map_entries(x), lambda entry: row(entry.key, entry.value));
CREATE MACRO trino.split_to_map(x, entry_separator, key_separator) AS CASE
    WHEN entry_separator = '' OR key_separator = '' OR entry_separator = key_separator
    THEN trino.fail('INVALID_FUNCTION_ARGUMENT: the delimiters must not be empty or the same', x)
    WHEN x = '' THEN map([], [])
    WHEN len(list_filter(string_split(x, entry_separator),
            lambda part: strpos(part, key_separator) = 0)) > 0
    THEN trino.fail('INVALID_FUNCTION_ARGUMENT: Key-value delimiter must appear exactly once in '
        || 'each entry. Bad input: ' || x, x)
    ELSE map(list_transform(string_split(x, entry_separator),
            lambda part: split_part(part, key_separator, 1)),
        list_transform(string_split(x, entry_separator),
            lambda part: part[strpos(part, key_separator) + length(key_separator):])) END;
CREATE MACRO trino.map_subscript(x, key) AS CASE
    WHEN NOT map_contains(x, key) THEN trino.fail(
        'INVALID_FUNCTION_ARGUMENT: Key not present in map: ' || key, key)
    ELSE map_extract_value(x, key) END;
CREATE MACRO trino.array_subscript(x, n) AS CASE
    WHEN n < 1 THEN trino.fail('INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1', n)
    WHEN n > len(x) THEN trino.fail(
        'INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: '
        || n || ' > ' || len(x), n)
    ELSE x[n] END;
CREATE MACRO trino.array_sort(x) AS list_sort(x, 'ASC', 'NULLS LAST');
-- Sorts by a comparison: an element's rank is the number of those that precede it.
CREATE MACRO trino.precedes(comparison, i, j) AS CASE WHEN i = j THEN false ELSE CASE comparison
    WHEN -1 THEN true WHEN 0 THEN i < j WHEN 1 THEN false ELSE trino.fail(
        'INVALID_FUNCTION_ARGUMENT: Lambda comparator must return either -1, 0, or 1', comparison)
    END END;
CREATE MACRO trino.sort_by_rank(x, ranks) AS CASE WHEN x IS NOT NULL THEN list_transform(
    list_sort(list_zip(ranks, range(len(x)), x)), lambda entry: struct_extract(entry, 3)) END;
CREATE MACRO trino.values_of(entries) AS list_transform(entries, lambda entry: entry.value);
CREATE MACRO trino.array_position(x, y) AS CASE
    WHEN x IS NOT NULL AND y IS NOT NULL
    THEN CAST(coalesce(list_position(x, y), 0) AS BIGINT) END;
CREATE MACRO trino.array_join(x, separator) AS CASE
        WHEN x IS NOT NULL AND separator IS NOT NULL
        THEN coalesce(array_to_string(x, separator), '') END,
    (x, separator, null_text) AS CASE
        WHEN x IS NOT NULL AND separator IS NOT NULL AND null_text IS NOT NULL
        THEN coalesce(array_to_string(
            list_transform(x, lambda element: coalesce(CAST(element AS VARCHAR), null_text)),
            separator), '') END;
CREATE MACRO trino.array_remove(x, y) AS CASE WHEN y IS NOT NULL
    THEN list_filter(x, lambda element: element IS NULL OR element <> y) END;
CREATE MACRO trino.is_member(x, element) AS
    CASE WHEN element IS NULL THEN trino.has_null(x) ELSE list_contains(x, element) END;
CREATE MACRO trino.array_except(x, y) AS CASE WHEN y IS NOT NULL
    THEN trino.array_distinct(list_filter(x, lambda element: NOT trino.is_member(y, element))) END;
CREATE MACRO trino.array_intersect(x, y) AS CASE WHEN y IS NOT NULL
    THEN trino.array_distinct(list_filter(x, lambda element: trino.is_member(y, element))) END;
CREATE MACRO trino.array_union(x, y) AS CASE WHEN x IS NOT NULL AND y IS NOT NULL
    THEN trino.array_distinct(list_concat(x, y)) END;
-- The values of a condition for the elements of an array: NULL if it is neither true nor false.
CREATE MACRO trino.any_true(values) AS CASE
    WHEN list_contains(values, true) THEN true WHEN trino.has_null(values) THEN NULL
    WHEN values IS NOT NULL THEN false END;
CREATE MACRO trino.slice(x, start, n) AS CASE
    WHEN n < 0 THEN trino.fail(
        'INVALID_FUNCTION_ARGUMENT: length must be greater than or equal to 0', n)
    WHEN start = 0 THEN trino.fail(
        'INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1', start)
    WHEN start < 0 THEN list_slice(x, len(x) + start + 1, len(x) + start + n)
    ELSE list_slice(x, start, start + n - 1) END;
CREATE MACRO trino.limit_length(list) AS CASE WHEN len(list) > 10000 THEN trino.fail(
        'INVALID_FUNCTION_ARGUMENT: result of sequence function must not have more than 10000'
        || ' entries', len(list))
    ELSE list END;
CREATE MACRO trino.sequence(x, y) AS
        trino.limit_length(generate_series(x, y, CASE WHEN x <= y THEN 1 ELSE -1 END)),
    (x, y, step) AS CASE WHEN step = 0 OR step > 0 AND y < x OR step < 0 AND y > x
        THEN trino.fail('INVALID_FUNCTION_ARGUMENT: sequence stop value should be greater than'
            || ' or equal to start value if step is greater than zero otherwise stop should be'
            || ' less than or equal to start', step)
        ELSE trino.limit_length(generate_series(x, y, step)) END;
CREATE MACRO trino.datetime_sequence(x, y) AS
        trino.limit_length(generate_series(x, y, to_days(CASE WHEN x <= y THEN 1 ELSE -1 END))),
    (x, y, step) AS trino.limit_length(generate_series(x, y, step));
CREATE MACRO trino.repeat(x, n) AS CASE
    WHEN n < 0 THEN trino.fail(
        'INVALID_FUNCTION_ARGUMENT: count argument of repeat function must be greater than or equal'
        || ' to 0', n)
    ELSE list_transform(range(n), lambda i: x) END;

-- Casts to varchar.
CREATE MACRO trino.date_text(x) AS
    CASE WHEN year(x) > 9999 THEN '+' ELSE '' END || CAST(x AS VARCHAR);
CREATE MACRO trino.decimal_varchar(x) AS CASE
    WHEN abs(x) < 1 THEN regexp_replace(CAST(x AS VARCHAR), '^(-?)\.', '\10.')
    ELSE CAST(x AS VARCHAR) END;
CREATE MACRO trino.timestamp_text(x) AS
    CASE WHEN year(x) > 9999 THEN '+' ELSE '' END || strftime(x, '%Y-%m-%d %H:%M:%S.%g');
CREATE MACRO trino.timestamptz_text(x) AS trino.timestamp_text(x) || ' UTC';
CREATE MACRO trino.time_text(x) AS left(CAST(x AS VARCHAR), 8)
    || rpad(coalesce(nullif(substr(CAST(x AS VARCHAR), 9), ''), '.'), 4, '0');
CREATE MACRO trino.two_digits(n) AS lpad(CAST(n AS VARCHAR), 2, '0');
CREATE MACRO trino.minus_sign(n) AS CASE WHEN n < 0 THEN '-' ELSE '' END;
CREATE MACRO trino.months_text(n) AS trino.minus_sign(n) || abs(n) // 12 || '-' || abs(n) % 12;
CREATE MACRO trino.days_text(ms) AS trino.minus_sign(ms) || abs(ms) // 86400000
    || ' ' || trino.two_digits(abs(ms) // 3600000 % 24)
    || ':' || trino.two_digits(abs(ms) // 60000 % 60)
    || ':' || trino.two_digits(abs(ms) // 1000 % 60)
    || '.' || lpad(CAST(abs(ms) % 1000 AS VARCHAR), 3, '0');
CREATE MACRO trino.interval_text(x) AS CASE
    WHEN year(x) = 0 AND month(x) = 0 THEN trino.days_text(CAST(round(epoch(x) * 1000) AS BIGINT))
    ELSE trino.months_text(12 * year(x) + month(x)) END;
CREATE MACRO trino.join_scientific(sign, digits, exponent) AS
    sign || left(digits, 1) || '.'
    || CASE WHEN length(digits) = 1 THEN '0' ELSE substr(digits, 2) END || 'E' || exponent;
CREATE MACRO trino.scientific_exponent(mantissa, exponent) AS
    exponent + length(split_part(mantissa, '.', 1)) - 1
    - (length(replace(mantissa, '.', '')) - length(ltrim(replace(mantissa, '.', ''), '0')));
CREATE MACRO trino.to_scientific(text) AS trino.join_scientific(
    CASE WHEN text LIKE '-%' THEN '-' ELSE '' END,
    trim(replace(split_part(ltrim(text, '-'), 'e', 1), '.', ''), '0'),
    trino.scientific_exponent(split_part(ltrim(text, '-'), 'e', 1),
                      coalesce(TRY_CAST(split_part(text, 'e', 2) AS INTEGER), 0)));
CREATE MACRO trino.binary_text(x) AS
    rtrim(regexp_replace(lower(hex(x)), '(..)', '\1 ', 'g'));
CREATE MACRO trino.double_result_text(x) AS CASE
    WHEN x IS NULL OR isnan(x) OR isinf(x) THEN
        CASE WHEN isnan(x) THEN 'NaN' WHEN x > 0 THEN 'Infinity' WHEN x < 0 THEN '-Infinity' END
    WHEN x = 0 OR (abs(x) >= 0.001 AND abs(x) < 1e7) THEN CAST(x AS VARCHAR)
    ELSE trino.to_scientific(CAST(x AS VARCHAR)) END;
CREATE MACRO trino.grouped(digits) AS
    reverse(rtrim(regexp_replace(reverse(split_part(digits, '.', 1)), '(...)', '\1,', 'g'), ','))
    || regexp_extract(digits, '\..*');
CREATE MACRO trino.signed_text(x, digits, width) AS CASE
    WHEN isnan(CAST(x AS DOUBLE)) OR isinf(CAST(x AS DOUBLE))
    THEN trino.double_result_text(CAST(x AS DOUBLE))
    WHEN digits IS NULL THEN trino.fail('NOT_SUPPORTED: a format with more than'
        || ' 38 digits is not modelled by the laptop cloud', x)
    ELSE trino.minus_sign(x)
        || trino.pad_left(digits, width - length(trino.minus_sign(x)), '0') END;
CREATE MACRO trino.double_varchar(x) AS CASE
    WHEN isnan(x) OR isinf(x) THEN trino.double_result_text(x)
    WHEN x = 0 THEN replace(CAST(x AS VARCHAR), '.0', '') || 'E0'
    ELSE trino.to_scientific(CAST(x AS VARCHAR)) END;
CREATE MACRO trino.double_json_text(x) AS CASE
    WHEN isnan(x) OR isinf(x) THEN '"' || trino.double_result_text(x) || '"'
    ELSE trino.double_result_text(x) END;
