-- Customers who bought a second time, and the days until then, by region of the first sold order
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
--
-- The days are those of the first order; the median and the 90th percentile are of customers with a
-- second order.
SELECT
  region,
  customers,
  customers_with_second,
  CAST(100 * CAST(customers_with_second AS double) / customers AS decimal(5, 1))
    AS second_percent,
  CAST(
    CAST(element_at(sorted_seconds, nullif((5 * customers_with_second + 9) / 10, 0)) AS double)
      / 86400
    AS decimal(18, 2)
  ) AS median_days,
  CAST(
    CAST(element_at(sorted_seconds, nullif((9 * customers_with_second + 9) / 10, 0)) AS double)
      / 86400
    AS decimal(18, 2)
  ) AS p90_days
FROM (
  SELECT
    region,
    count(*) AS customers,
    count(seconds) AS customers_with_second,
    array_sort(array_agg(seconds)) AS sorted_seconds
  FROM (
    SELECT
      region,
      paid_day,
      row_number() OVER by_time AS number,
      date_diff('second', paid_at, lead(paid_at) OVER by_time) AS seconds
    FROM (
      SELECT *, CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day
      FROM orders
    )
    WHERE sold AND customer_id IS NOT NULL
    WINDOW by_time AS (PARTITION BY customer_id ORDER BY paid_at, order_id)
  )
  WHERE number = 1
    AND paid_day BETWEEN CAST(? AS date) AND CAST(? AS date)
    AND coalesce(region, '') LIKE ?
  GROUP BY region
)
ORDER BY region
