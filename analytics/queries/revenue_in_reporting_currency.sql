-- Revenue by day, week, month, quarter or year, also converted into the reporting currency
-- params: period=month|day|week|quarter|year, week_start=1, fiscal_year_start=1, zone=UTC, rate_days=7, day_from=1900-01-01, day_to=2999-12-31, region=%
--
-- Totals of sold orders by currency, including tax, at the rate of the day of payment in the zone.
-- A day without a rate has the latest one of the rate_days before it. Orders without any rate are
-- counted, and what includes them is not known: null. Sums are exact, and rounded once.
-- `all_currencies` is the sum of the period, the same in each of its rows.
WITH rates AS (
  -- Rates of a day that differ are none: which one is right is not known.
  SELECT
    currency,
    day,
    date_add('day', -1, lead(day) OVER (PARTITION BY currency ORDER BY day)) AS last_day,
    CASE WHEN lowest = highest THEN lowest END AS rate
  FROM (
    SELECT
      currency,
      TRY_CAST(day AS date) AS day,
      min(TRY_CAST(rate AS decimal(20, 12))) AS lowest,
      max(TRY_CAST(rate AS decimal(20, 12))) AS highest
    FROM exchange_rates
    GROUP BY currency, TRY_CAST(day AS date)
  )
  WHERE day IS NOT NULL
),
sales AS (
  SELECT
    CASE period
      WHEN 'week' THEN date_add('day', days, date_trunc('week', date_add('day', -days, paid_day)))
      WHEN 'quarter' THEN
        date_add('month', months, date_trunc('quarter', date_add('month', -months, paid_month)))
      WHEN 'year' THEN
        date_add('month', months, date_trunc('year', date_add('month', -months, paid_month)))
      WHEN 'month' THEN paid_month
      WHEN 'day' THEN paid_day
    END AS period_start,
    paid_day,
    currency,
    date_add('day', -rate_days, paid_day) AS oldest_rate_day,
    count(*) AS orders,
    sum(total) AS revenue
  FROM (
    SELECT *, date_trunc('month', paid_day) AS paid_month
    FROM (
      SELECT
        CAST(? AS varchar) AS period,
        CAST(? AS bigint) - 1 AS days,
        CAST(? AS bigint) - 1 AS months,
        CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day,
        CAST(? AS bigint) AS rate_days,
        currency,
        region,
        total
      FROM orders
      WHERE sold
    )
  )
  WHERE paid_day BETWEEN CAST(? AS date) AND CAST(? AS date)
    AND coalesce(region, '') LIKE ?
  GROUP BY period, days, months, paid_month, rate_days, paid_day, currency
)
SELECT
  period_start,
  currency,
  orders,
  CAST(revenue AS decimal(38, 2)) AS revenue,
  orders_without_rate,
  reporting_currency,
  CASE WHEN orders_without_rate = 0 THEN CAST(converted AS decimal(38, 2)) END AS converted_revenue,
  CASE WHEN sum(orders_without_rate) OVER by_period = 0 THEN
    CAST(sum(converted) OVER by_period AS decimal(38, 2))
  END AS all_currencies
FROM (
  SELECT
    period_start,
    currency,
    reporting_currency,
    sum(orders) AS orders,
    sum(revenue) AS revenue,
    sum(CASE WHEN rate IS NULL THEN orders ELSE 0 END) AS orders_without_rate,
    sum(revenue * rate) AS converted
  FROM (
    SELECT
      sales.*,
      reporting_currency,
      CASE
        WHEN sales.currency = reporting_currency THEN CAST(1 AS decimal(20, 12))
        WHEN reporting_currency IS NOT NULL THEN rate
      END AS rate
    FROM sales
    CROSS JOIN (
      SELECT
        CASE WHEN min(reporting_currency) = max(reporting_currency) THEN min(reporting_currency) END
          AS reporting_currency
      FROM exchange_rates
    )
    LEFT JOIN rates
      ON rates.currency = sales.currency
      AND paid_day BETWEEN day AND coalesce(last_day, paid_day)
      AND day >= oldest_rate_day
  )
  GROUP BY period_start, currency, reporting_currency
)
WINDOW by_period AS (PARTITION BY period_start)
ORDER BY period_start, currency
