-- Customers in segments by how recently, how often and for how much they bought: sold orders
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
--
-- Each customer of a currency scores 1 (lowest fifth) to 5 (highest) for the time of the last
-- order, the number of orders and their sum; equal values score alike. `value` is the mean of the
-- last two, rounded up.
SELECT
  currency,
  segment,
  count(*) AS customers,
  sum(orders) AS orders,
  CAST(sum(revenue) AS decimal(38, 2)) AS revenue,
  min(last_paid_at) AS last_paid_from,
  max(last_paid_at) AS last_paid_to
FROM (
  SELECT
    *,
    CASE
      WHEN recency >= 4 AND value >= 4 THEN 'champions'
      WHEN recency >= 3 AND value >= 3 THEN 'loyal'
      WHEN recency >= 3 THEN 'recent'
      WHEN value >= 3 THEN 'at risk'
      ELSE 'dormant'
    END AS segment
  FROM (
    SELECT
      currency,
      orders,
      revenue,
      last_paid_at,
      1 + 5 * (rank() OVER (PARTITION BY currency ORDER BY last_paid_at) - 1)
        / count(*) OVER (PARTITION BY currency) AS recency,
      (
        1 + 5 * (rank() OVER (PARTITION BY currency ORDER BY orders) - 1)
          / count(*) OVER (PARTITION BY currency)
        + 1 + 5 * (rank() OVER (PARTITION BY currency ORDER BY revenue) - 1)
          / count(*) OVER (PARTITION BY currency)
        + 1
      ) / 2 AS value
    FROM (
      SELECT
        currency,
        customer_id,
        count(*) AS orders,
        coalesce(sum(total), 0) AS revenue,
        max(paid_at) AS last_paid_at
      FROM (
        SELECT *, CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day
        FROM orders
      )
      WHERE sold AND customer_id IS NOT NULL
        AND paid_day BETWEEN CAST(? AS date) AND CAST(? AS date)
        AND coalesce(region, '') LIKE ?
      GROUP BY currency, customer_id
    )
  )
)
GROUP BY currency, segment
ORDER BY currency, revenue DESC, segment
