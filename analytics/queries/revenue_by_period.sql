-- Revenue by day, week, month, quarter or year, and its change from the one before
-- params: period=month|day|week|quarter|year, week_start=1, fiscal_year_start=1, zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
--
-- Totals of sold orders by currency, including tax. A period without orders has no row; the change
-- is that from the previous row only if no period lies between them.
SELECT
  period_start,
  currency,
  orders,
  CAST(revenue AS decimal(38, 2)) AS revenue,
  CAST(revenue - previous_revenue AS decimal(38, 2)) AS change,
  CAST(
    100 * CAST(revenue - previous_revenue AS double) / nullif(CAST(previous_revenue AS double), 0)
    AS decimal(18, 1)
  ) AS change_percent
FROM (
  SELECT
    period_start,
    currency,
    orders,
    revenue,
    CASE WHEN next_of_previous = period_start THEN previous_revenue END AS previous_revenue
  FROM (
    SELECT
      *,
      lag(next_start) OVER by_time AS next_of_previous,
      lag(revenue) OVER by_time AS previous_revenue
    FROM (
      SELECT
        period_start,
        CASE period
          WHEN 'day' THEN date_add('day', 1, period_start)
          WHEN 'week' THEN date_add('week', 1, period_start)
          WHEN 'month' THEN date_add('month', 1, period_start)
          WHEN 'quarter' THEN date_add('quarter', 1, period_start)
          WHEN 'year' THEN date_add('year', 1, period_start)
        END AS next_start,
        currency,
        count(*) AS orders,
        sum(total) AS revenue
      FROM (
        SELECT
          period,
          currency,
          total,
          CASE period
            WHEN 'week' THEN
              date_add('day', days, date_trunc('week', date_add('day', -days, paid_day)))
            WHEN 'quarter' THEN
              date_add('month', months, date_trunc('quarter', date_add('month', -months, paid_month)))
            WHEN 'year' THEN
              date_add('month', months, date_trunc('year', date_add('month', -months, paid_month)))
            WHEN 'month' THEN paid_month
            WHEN 'day' THEN paid_day
          END AS period_start
        FROM (
          SELECT
            *,
            date_trunc('month', paid_day) AS paid_month,
            CAST(? AS varchar) AS period,
            CAST(? AS bigint) - 1 AS days,
            CAST(? AS bigint) - 1 AS months
          FROM (
            SELECT *, CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day
            FROM orders
          )
        )
        WHERE sold AND paid_day BETWEEN CAST(? AS date) AND CAST(? AS date)
          AND coalesce(region, '') LIKE ?
      )
      GROUP BY period, period_start, currency
    )
    WINDOW by_time AS (PARTITION BY currency ORDER BY period_start)
  )
)
ORDER BY period_start, currency
